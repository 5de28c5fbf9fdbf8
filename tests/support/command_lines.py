"""Checks of the commands that messages advise."""

from __future__ import annotations

import re
import shlex
from typing import Any

import typer.main

from cli.main import app

WITHOUT_STACK = frozenset({"install", "login", "plugin", "whoami"})
"""Commands of the engine that are of no stack."""


def assert_parses(line: str, stack: str) -> None:
    """Assert that each command of ours in the line parses, and that it and the engine's commands name the stack."""
    for command in line.split(" && "):
        words = shlex.split(re.sub(r'^eval "\$\((.*)\)"$', r"\1", command))
        words = words[next(place for place, word in enumerate(words) if "=" not in word) :]
        if words[0] == "oracle":
            _assert_ours(words[1:], stack)
        elif words[0] == "pulumi" and words[1] not in WITHOUT_STACK:
            assert words[-2:] == ["--stack", stack] or words[1:3] == ["stack", "init"], line


def _assert_ours(words: list[str], stack: str) -> None:
    group: Any = typer.main.get_command(app)
    found = group.get_command(None, words[0])
    assert found is not None, words
    rest = words[1:]
    while inner := getattr(found, "commands", None):
        found, rest = inner[rest[0]], rest[1:]
    with found.make_context(" ".join(words), list(rest)) as context:
        assert context.params.get("stack", stack) == stack, words
        assert "stack" not in context.params or stack in rest, words
