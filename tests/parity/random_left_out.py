"""Recorded cases of random that are not replayed."""

from __future__ import annotations

from collections.abc import Mapping

LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "random.RandomPassword": {
        "input: unknown property": "the official plugin drops an unknown property in silence; ours refuses it by name"
    },
}
