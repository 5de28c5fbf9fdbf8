"""Keeps secrets out of what is shown: a stack's known ones by their values, others by how they look."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from cli.status.declared import SIGNATURE, STACK

MASK = "********"
SHORTEST = 6
"""Characters; what is shorter would mask ordinary words."""
LONGEST = 4096
"""What is longer is no secret of a service, but something of the engine's own."""
TEXTS = frozenset({"text", "value"})
"""The keys under which a list of bindings or variables has its values; its other texts are names and kinds."""
PLAIN = frozenset({"plain_text", "GENERAL"})
"""The types of bindings and variables that are no secrets, although the list that they stand in is one."""
LOOKS = (
    re.compile(r"(?i)(\b(?:bearer|basic|token)\s+)[A-Za-z0-9._~+/-]{8,}=*"),
    re.compile(r"()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"),  # a JSON Web Token
    re.compile(r"(?i)([?&][^=&\s#]*(?:auth|jwt|key|secret|token|password|signature)[^=&\s#]*=)[^&\s#\"']+"),
    re.compile(r"(?i)(\b(?:set-)?cookie\s*:\s*)[^\r\n]+"),
)
PLAIN_HEADERS = re.compile(r"(?i)((?:authorization|x-api-key)[\"']?\s*[:=]\s*[\"']?)(?!bearer|basic)[^\s\"',}]+")


class Mask:
    """Masks `secrets`, the longest first, also as they stand in JSON and in addresses."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if SHORTEST <= len(secret) <= LONGEST for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        if self._known:
            text = self._known.sub(MASK, text)
        for look in (*LOOKS, PLAIN_HEADERS):
            text = look.sub(rf"\1{MASK}", text)
        return text

    def of(self, value: Any) -> Any:
        """The same of a text, and of everything else as it is."""
        return self(value) if isinstance(value, str) else value


def secrets_of(state: Mapping[str, Any]) -> set[str]:
    """The texts that an exported state, its secrets opened, marks as secret.

    What the stack's outputs show in plain is none, although it stands in a list with secrets too.
    """
    outputs = [each.get("outputs") for each in state.get("resources") or [] if each.get("type") == STACK]
    return set(_marked(state)) - set(_plain(outputs))


def _plain(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and SIGNATURE not in value:
        for each in value.values():
            yield from _plain(each)
    elif isinstance(value, list):
        for each in value:
            yield from _plain(each)


def _marked(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if SIGNATURE in value:
            if "plaintext" in value:
                yield from _opened(json.loads(value["plaintext"]))
            return
        for each in value.values():
            yield from _marked(each)
    elif isinstance(value, list):
        for each in value:
            yield from _marked(each)


def _opened(value: Any) -> Iterator[str]:
    """A secret text, or the texts in a secret list or object."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and value.get("type") not in PLAIN:
        yield from (each for key, each in value.items() if key in TEXTS and isinstance(each, str))
        for each in value.values():
            yield from _opened(each) if isinstance(each, dict | list) else ()
    elif isinstance(value, list):
        for each in value:
            yield from _opened(each) if isinstance(each, dict | list) else ()


def _forms(secret: str) -> set[str]:
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
    }
