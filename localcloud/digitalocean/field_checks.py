"""Checks of single fields of an app spec: their types, ranges and choices."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from localcloud.digitalocean.errors import ApiError, invalid

Kind = Callable[[str, Any], None]
Fields = Mapping[str, Kind]

NOT_HERE = "is part of App Platform but not of the local cloud"


def wrong(field: str, message: str) -> ApiError:
    """Build the refusal of one field; list positions are left out of its name, as App Platform does."""
    return invalid(f'error validating app spec field "{field}": {message}')


def text(*choices: str) -> Kind:
    """Accept a string, one of the choices if there are any."""

    def check(field: str, value: Any) -> None:
        if not isinstance(value, str):
            raise wrong(field, "must be a string")
        if choices and value not in choices:
            raise wrong(field, f"must be one of {', '.join(choices)}, not {value!r}")

    return check


def matching(pattern: re.Pattern[str], what: str) -> Kind:
    """Accept a string that matches the pattern."""

    def check(field: str, value: Any) -> None:
        text()(field, value)
        if not pattern.fullmatch(value):
            raise wrong(field, what)

    return check


def integer(low: int, high: int) -> Kind:
    """Accept a whole number in a range, both ends included."""

    def check(field: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong(field, "must be a whole number")
        if not low <= value <= high:
            raise wrong(field, f"must be between {low} and {high}, not {value}")

    return check


def public(field: str, value: Any) -> None:
    """Accept a repository's address without credentials: they would show in process lists and logs."""
    text()(field, value)
    if urlsplit(value).password is not None:
        raise wrong(field, "must be a public repository: no password in its address")


def number(field: str, value: Any) -> None:
    """Accept any number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(field, "must be a number")


def flag(field: str, value: Any) -> None:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise wrong(field, "must be true or false")


def off(field: str, value: Any) -> None:
    """Accept only the off position of a switch."""
    flag(field, value)
    if value:
        raise wrong(field, NOT_HERE)


def anything(field: str, value: Any) -> None:
    """Accept any value; it is stored and returned unchanged."""


def single(field: str, value: Any) -> None:
    """Accept an instance count of one."""
    if value != 1 or isinstance(value, bool):
        raise wrong(field, f"the local cloud runs one instance of a component, not {value}")


def absent(field: str, value: Any) -> None:
    """Refuse a field of the real API that would have no effect here."""
    if value not in ([], {}, "", 0, False):
        raise wrong(field, NOT_HERE)


def many(kind: Kind, longest: int = 1000) -> Kind:
    """Accept a list of one kind."""

    def check(field: str, value: Any) -> None:
        if not isinstance(value, list):
            raise wrong(field, "must be a list")
        if len(value) > longest:
            raise wrong(field, f"the local cloud runs {longest} of these, not {len(value)}")
        for item in value:
            kind(field, item)

    return check


def record(fields: Fields, *required: str) -> Kind:
    """Accept an object with known fields only; null counts as missing."""

    def check(field: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise wrong(field or "spec", "must be an object")
        for name, item in value.items():
            inner = f"{field}.{name}" if field else name
            if name not in fields:
                raise wrong(inner, "unknown field")
            if item is not None:
                fields[name](inner, item)
        for name in required:
            if value.get(name) in (None, ""):
                raise wrong(f"{field}.{name}" if field else name, "is required")

    return check
