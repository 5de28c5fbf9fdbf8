"""Versions as comparable numbers."""

from __future__ import annotations

import re

Version = tuple[int, int, int]

_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def parse(text: str) -> Version | None:
    """Return the first version in a program's output ("v3.259.0", "go1.26.8", "go1.26 linux/amd64"), or None."""
    match = _NUMBERS.search(text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def at_least(text: str, minimum: str) -> bool:
    """Return whether a program's output has a version that is the minimum or later, within any major version."""
    have, need = parse(text), parse(minimum)
    return have is not None and need is not None and have >= need
