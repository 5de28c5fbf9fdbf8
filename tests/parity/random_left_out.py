"""Recorded cases of random that are not replayed, with the reason."""

from __future__ import annotations

from collections.abc import Mapping

_NAME = "random.RandomPassword"

LEFT_OUT: Mapping[tuple[str, str], str] = {
    (_NAME, "input: unknown property"): (
        "on purpose: the official plugin drops a property that it doesn't know, the offline one refuses it by name"
    ),
}
