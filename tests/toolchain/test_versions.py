"""The versions that programs print, compared with the required ones."""

from __future__ import annotations

import pytest

from toolchain import pins, versions


@pytest.mark.parametrize(
    "text,expected",
    [
        ("v3.259.0", (3, 259, 0)),
        ("3.259.0-alpha.1+abc", (3, 259, 0)),
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.26 linux/amd64", (1, 26, 0)),
        ("v22.0.0 /usr/bin/node", (22, 0, 0)),
        ("pocketbase version 0.36.9", (0, 36, 9)),
        ("", None),
        ("no version here", None),
        ("v24", None),
    ],
)
def test_the_first_version_in_a_text_is_found(text: str, expected: versions.Version | None) -> None:
    assert versions.parse(text) == expected


@pytest.mark.parametrize(
    "text,minimum,enough",
    [
        ("v3.238.0", "3.238.0", True),
        ("v3.237.9", "3.238.0", False),
        ("v3.1000.0", "3.238.0", True),  # compared as numbers, not as text
        ("v4.0.0", "3.238.0", True),
        ("v20.20.2", "22.0.0", False),
        ("go1.25.11", "1.25.11", True),
        ("go1.25.9", "1.25.11", False),
        ("command not found", "1.0.0", False),
    ],
)
def test_a_version_is_compared_with_the_minimum(text: str, minimum: str, enough: bool) -> None:
    assert versions.at_least(text, minimum) is enough


def test_the_pinned_tools_meet_their_minimum_versions() -> None:
    assert versions.at_least(pins.ENGINE, pins.ENGINE_MINIMUM)
    assert versions.at_least(pins.wheel("node"), pins.NODE_MINIMUM)
    assert versions.at_least(pins.wheel("go"), pins.go_minimum())
