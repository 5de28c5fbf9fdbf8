"""The reference of the commands, from their help: `python -m tests.unit.commands` writes docs/commands.md."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer.main

from cli.main import COMMANDS, app

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
INTRODUCTION = """# The commands

Generated from the commands' help by `python -m tests.unit.commands`; a test fails when this page is out of date.

`oracle` is in `.venv/bin`. `eval "$(.venv/bin/oracle env)"` puts it on PATH. `oracle --install-completion` makes Tab
complete commands, options, stacks, services, runs and backups in bash, zsh and fish.

A known failure prints its problem, its cause and the commands that fix it on standard error. The exit status is 1.
"""


def page() -> str:
    """The whole page, Markdown."""
    program: Any = typer.main.get_command(app)
    parts = [INTRODUCTION]
    for panel in dict.fromkeys(entry.panel for entry in COMMANDS):
        parts.append(f"\n## {panel}\n")
        for entry in COMMANDS:
            if entry.panel == panel:
                parts += _command(f"oracle {entry.name}", program.get_command(None, entry.name))
    return "".join(parts)


def _command(words: str, command: Any) -> Iterator[str]:
    """The command's section; a group's is followed by its commands'."""
    if inner := getattr(command, "commands", None):
        yield f"\n### {words}\n\n{_sentences(command.help)}\n"
        for name, each in inner.items():
            yield from _command(f"{words} {name}", each)
        return
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join([words, *(_placeholder(each) for each in arguments), *(["[OPTIONS]"] if options else [])])
    yield f"\n### {words}\n\n    {usage}\n\n{_sentences(command.help)}\n"
    rows = [*(_argument(each) for each in arguments), *(_option(each) for each in options)]
    if rows:
        yield "\n| | |\n|---|---|\n" + "\n".join(rows) + "\n"


def _argument(parameter: Any) -> str:
    name = _placeholder(parameter).strip("[]").replace("]...", "…")
    return f"| `{name}` | {_sentences(parameter.help)}{_default(parameter)} |"


def _option(parameter: Any) -> str:
    names = ", ".join(sorted(parameter.opts, key=len, reverse=True))
    value = "" if parameter.is_flag else f" {parameter.metavar or _choices(parameter) or 'VALUE'}"
    return f"| `{names}{value}` | {_sentences(parameter.help)}{_default(parameter)} |"


def _choices(parameter: Any) -> str:
    """The values of a kind that has few of them. The sign between them would end a table's cell."""
    kind = type(parameter.default)
    return " or ".join(str(each.value) for each in kind) if issubclass(kind, Enum) else ""


def _placeholder(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name.upper())
    return name if parameter.required or name.startswith("[") else f"[{name}]"


def _default(parameter: Any) -> str:
    """Only one that says something."""
    value = parameter.default
    if value in (None, "", False, ()) or callable(value):
        return ""
    return f" Default: `{getattr(value, 'value', value)}`."


def _sentences(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page())
