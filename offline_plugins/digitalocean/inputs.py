"""Inputs: made by Check from the program's, and by Read from the stored ones.

Check converts values, fills in defaults and names (and records them in `__defaults` of every block), and refuses. Read
returns the properties that were in the inputs before, with their current values.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from offline_plugins.digitalocean import sets
from offline_plugins.digitalocean.fields import SCALARS, Field, Shape, child, is_zero, seal
from offline_plugins.resource import UNKNOWN, Checked, Failure, Props, ProviderError

DEFAULTS = "__defaults"
_TYPES: dict[Shape, tuple[type, ...]] = {
    Shape.TEXT: (str,),
    Shape.INT: (int,),
    Shape.FLOAT: (int, float),
    Shape.BOOL: (bool,),
    Shape.ONE: (dict,),
    Shape.LIST: (list,),
    Shape.SET: (list,),
}
_WORDS = {
    Shape.TEXT: "text",
    Shape.INT: "a whole number",
    Shape.FLOAT: "a number",
    Shape.BOOL: "true or false",
    Shape.ONE: "an object",
    Shape.LIST: "a list",
    Shape.SET: "a list",
}
_OFFLINE = "the offline digitalocean plugin does not support it. Fix: remove it, or use the official plugin"


@dataclass(frozen=True)
class _Place:
    """The position of a value: the path in the program, and the one in the Terraform schema."""

    path: str
    tf: str
    frozen: bool = False  # below a set, where the program's paths end

    def down(self, field: Field) -> _Place:
        tf = f"{self.tf}.{field.tf}" if self.tf else field.tf
        below = f"{tf}.0" if field.shape is Shape.ONE else tf
        return _Place(self.path if self.frozen else f"{self.path}.{field.name}", below, self.frozen)

    def at(self, index: int, field: Field) -> _Place:
        in_set = self.frozen or field.shape is Shape.SET
        return _Place(self.path if in_set else f"{self.path}[{index}]", f"{self.tf}.{index}", in_set)

    def failure(self, text: str) -> Failure:
        return Failure(f"{text}. Examine values at '{self.path}'.")


def check(fields: tuple[Field, ...], name: str, seed: bytes, olds: Props, news: Props) -> Checked:
    """Return the inputs to store, and all failures. Raises ProviderError for text in place of a number."""
    inputs = _fill(fields, _Namer(name, seed), olds, news)
    return Checked(seal(fields, inputs), list(_refuse(fields, _Place(name, ""), inputs)))


class _Namer:
    """Makes a physical name from the resource's: a dash and seven hex characters, the same for the same seed."""

    def __init__(self, name: str, seed: bytes) -> None:
        self.name = name
        self.seed = seed or secrets.token_bytes(16)

    def __str__(self) -> str:
        return f"{self.name}-{hashlib.sha512(self.seed).hexdigest()[:7]}"


def _fill(fields: tuple[Field, ...], namer: _Namer, olds: Any, news: Props) -> Props:
    filled: Props = {}
    defaults = []
    table = {field.name: field for field in fields}
    for name, value in news.items():
        if value is not None and name != DEFAULTS:
            filled[name] = _convert(table[name], namer, child(olds, name), value) if name in table else value
    for field in fields:
        default = _default(field, namer, olds)
        if field.name not in filled and default is not None:
            filled[field.name] = default
            defaults.append(field.name)
    return {**filled, DEFAULTS: sorted(defaults)}


def _default(field: Field, namer: _Namer, olds: Any) -> Any:
    """Return a default; empty values are left to the plan, as the bridge does."""
    old = child(olds, field.name)
    if field.named:
        return str(namer) if old is None else old
    if is_zero(field.default):
        return None
    return old if field.name in (child(olds, DEFAULTS) or []) else field.default


def _convert(field: Field, namer: _Namer, old: Any, value: Any) -> Any:
    if value is UNKNOWN:
        return UNKNOWN
    if field.shape in SCALARS:
        return _scalar(field.shape, field.tf, value)
    if field.shape is Shape.ONE:
        return _fill(field.fields, namer, old, value) if isinstance(value, dict) else value
    if not isinstance(value, list):
        return value
    if field.item:
        return [item if item is UNKNOWN else _scalar(field.item, field.tf, item) for item in value]
    olds = old if isinstance(old, list) else []
    return [
        _fill(field.fields, namer, olds[index] if index < len(olds) else None, item) if isinstance(item, dict) else item
        for index, item in enumerate(value)
    ]


def _scalar(shape: Shape, tf: str, value: Any) -> Any:
    if shape is Shape.TEXT and isinstance(value, (int, float)):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if shape is Shape.BOOL and value in ("true", "false"):
        return value == "true"
    if shape in (Shape.INT, Shape.FLOAT) and isinstance(value, str):
        parse = ("strconv.ParseInt", int) if shape is Shape.INT else ("strconv.ParseFloat", float)
        try:
            return parse[1](value)
        except ValueError:
            raise ProviderError(f'{tf}: {parse[0]}: parsing "{value}": invalid syntax') from None
    return value


def _refuse(fields: tuple[Field, ...], place: _Place, inputs: Props) -> Iterator[Failure]:
    table = {field.name: field for field in fields}
    for name, value in inputs.items():
        if name != DEFAULTS and name not in table:
            yield _Place(f"{place.path}.{name}", "").failure("Invalid or unknown key")
        elif name != DEFAULTS:
            yield from _refuse_one(table[name], place.down(table[name]), value)
    for field in fields:
        if field.required and field.name not in inputs:
            below = place.down(field)
            text = f'Missing required argument. The argument "{below.tf}" is required, but no definition was found.'
            yield below.failure(text)


def _refuse_one(field: Field, place: _Place, value: Any) -> Iterator[Failure]:
    if not field.in_api:
        yield Failure(f"{place.path}: {_OFFLINE}", place.path)
    elif value is UNKNOWN:
        return
    elif not _fits(field.shape, value):
        yield place.failure(f"expected {_WORDS[field.shape]} for {place.tf}, got {type(value).__name__}")
    elif field.shape is Shape.ONE:
        yield from _refuse(field.fields, place, value)
    elif field.shape in SCALARS:
        yield from _refuse_scalar(field, place, value)
    else:
        for index, item in enumerate(value):
            yield from _refuse_item(field, place.at(index, field), item)


def _refuse_item(field: Field, place: _Place, item: Any) -> Iterator[Failure]:
    shape = field.item or Shape.ONE
    if item is not UNKNOWN and not _fits(shape, item):
        yield place.failure(f"expected {_WORDS[shape]} for {place.tf}, got {type(item).__name__}")
    elif item is not UNKNOWN and field.fields:
        yield from _refuse(field.fields, place, item)


def _fits(shape: Shape, value: Any) -> bool:
    if isinstance(value, bool):
        return shape is Shape.BOOL
    return isinstance(value, _TYPES[shape])


def _refuse_scalar(field: Field, place: _Place, value: Any) -> Iterator[Failure]:
    if field.one_of and value not in field.one_of:
        choices = " ".join(f'"{choice}"' for choice in field.one_of)
        yield place.failure(f"expected {place.tf} to be one of [{choices}], got {value}")
    if field.between and not field.between[0] <= value <= field.between[1]:
        low, high = field.between
        yield place.failure(f"expected {place.tf} to be in the range ({low} - {high}), got {value}")
    if field.length and not field.length[0] <= len(value) <= field.length[1]:
        low, high = field.length
        yield place.failure(f"expected length of {place.tf} to be in the range ({low} - {high}), got {value}")
    if field.filled and value == "":
        top = "." not in place.tf
        text = f"{place.tf} must not be empty" if top else f'expected "{place.tf}" to not be an empty string'
        yield place.failure(f"{text}, got ")


def refreshed(fields: tuple[Field, ...], old_inputs: Props, state: Props) -> Props:
    """Return the inputs after a read: the earlier properties with their current values; sets in the order of hashes."""
    return _refreshed_block(fields, old_inputs, state)


def _refreshed_block(fields: tuple[Field, ...], olds: Props, state: Props) -> Props:
    table = {field.name: field for field in fields}
    current = {
        name: _refreshed_one(table[name], old, state[name])
        for name, old in olds.items()
        if name in table and name in state
    }
    still = [name for name in olds.get(DEFAULTS, []) if name in current and current[name] == olds.get(name)]
    return {**current, DEFAULTS: still} if still else current


def _refreshed_one(field: Field, old: Any, now: Any) -> Any:
    if not field.fields:
        return sets.sent(field, now) if field.shape is Shape.SET and isinstance(now, list) else now
    if isinstance(old, dict) and isinstance(now, dict):
        return _refreshed_block(field.fields, old, now)
    if isinstance(old, list) and isinstance(now, list):
        items = sets.sent(field, now) if field.shape is Shape.SET else now
        pairs = zip(old, items, strict=False)
        return [_refreshed_block(field.fields, before, item) for before, item in pairs] + items[len(old) :]
    return now


def imported(fields: tuple[Field, ...], state: Props) -> Props:
    """Return the inputs of an imported resource: every property that can be set and is not empty."""
    values: Props = {DEFAULTS: []}
    for field in fields:
        value = _imported_one(field, state.get(field.name))
        if value not in (None, {DEFAULTS: []}) and value != field.default and (field.default or not is_zero(value)):
            values[field.name] = value
    for name in [field.name for field in fields if field.yields and field.yields in values]:
        values.pop(name, None)
    return values


def _imported_one(field: Field, value: Any) -> Any:
    if not field.importable or value is None:
        return None
    if field.shape is Shape.SET:
        value = sets.sent(field, value)
    if field.fields and isinstance(value, list):
        return [imported(field.fields, item) for item in value]
    return imported(field.fields, value) if field.fields else value
