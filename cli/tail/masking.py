"""Mask secrets in output: a stack's known secrets by value, others by pattern."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from cli.status.declared import SIGNATURE, STACK

MASK = "********"
SHORTEST = 6
"""Characters. Shorter values would mask ordinary words."""
LONGEST = 4096
"""Characters. Longer values are the engine's own, not secrets of a service."""
TEXTS = frozenset({"text", "value"})
"""Keys of the values in a list of bindings or variables. Its other texts are names and types."""
PLAIN = frozenset({"plain_text", "GENERAL"})
"""Types of bindings and variables that are not secret, although the whole list is marked as secret."""
LOOKS = (
    re.compile(r"(?i)(\b(?:bearer|basic|token)\s+)[A-Za-z0-9._~+/-]{8,}=*"),
    re.compile(r"()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"),  # a JSON Web Token
    re.compile(r"(?i)([?&][^=&\s#]*(?:auth|jwt|key|secret|token|password|signature)[^=&\s#]*=)[^&\s#\"']+"),
    re.compile(r"(?i)(\b(?:set-)?cookie\s*:\s*)[^\r\n]+"),
)
PLAIN_HEADERS = re.compile(r"(?i)((?:authorization|x-api-key)[\"']?\s*[:=]\s*[\"']?)(?!bearer|basic)[^\s\"',}]+")


class Mask:
    """Mask `secrets`, longest first, also in their JSON and URL encodings."""

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
        """Return a text masked, and any other value unchanged."""
        return self(value) if isinstance(value, str) else value


def secrets_of(state: Mapping[str, Any]) -> set[str]:
    """Return the texts that a decrypted, exported state marks as secret.

    A plain output of the stack is not a secret, even if a secret list contains it too.
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
                yield from _secret_texts(json.loads(value["plaintext"]))
            return
        for each in value.values():
            yield from _marked(each)
    elif isinstance(value, list):
        for each in value:
            yield from _marked(each)


def _secret_texts(value: Any) -> Iterator[str]:
    """Yield a secret text, or the texts in a secret list or object."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and value.get("type") not in PLAIN:
        yield from (each for key, each in value.items() if key in TEXTS and isinstance(each, str))
        for each in value.values():
            yield from _secret_texts(each) if isinstance(each, dict | list) else ()
    elif isinstance(value, list):
        for each in value:
            yield from _secret_texts(each) if isinstance(each, dict | list) else ()


def _forms(secret: str) -> set[str]:
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
    }
