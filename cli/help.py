"""The help screen, 80 columns by 24 lines, and commands that are imported when they are needed.

`oracle --help`, a completed name and a mistyped one cost no import of what the commands use.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import zip_longest
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from cli.completion import complete
from cli.stack_argument import StackCommand

WIDTH = 80
"""Where two columns begin to fit."""
COLUMN = WIDTH // 2 - 1
NAME = 12
"""The longest name, and what separates it from the summary."""

WORKFLOWS = "For workflows"
"""The panel of commands that nobody types, and that the screen has no room for."""


@dataclass(frozen=True)
class Entry:
    panel: str
    name: str
    summary: str


def screen(entries: Sequence[Entry]) -> type[TyperGroup]:
    """The class of a group that has these commands."""

    class Screen(TyperGroup):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.commands = _Lazily(entries)

        def format_help(self, ctx: Any, _: Any) -> None:
            width = shutil.get_terminal_size((WIDTH, 24)).columns
            # Printed rather than given to the formatter, as Typer does with its own: what it returns is not shown
            # when a command is missing.
            typer.echo("\n".join(help_screen(ctx.info_name, entries, width)))

        def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
            loaded, self.commands = self.commands, {entry.name: _named(entry) for entry in entries}
            try:
                return super().shell_complete(ctx, incomplete)
            finally:
                self.commands = loaded

    return Screen


def help_screen(program: str, entries: Sequence[Entry], width: int) -> Iterator[str]:
    """The lines of the help: panels in two columns, or in one where two do not fit."""
    yield f"Usage: {program} COMMAND [OPTIONS]       more on a command: {program} COMMAND --help"
    names = dict.fromkeys(entry.panel for entry in entries if entry.panel != WORKFLOWS)
    panels = [list(_panel(name, entries)) for name in names]
    if width < WIDTH:
        for panel in panels:
            yield from ("", *panel)
    else:
        left, right = _columns(panels)
        for one, other in zip_longest(left, right, fillvalue=""):
            yield f"{one:<{COLUMN}}  {other}".rstrip()
    yield ""
    yield "Options: --help, --install-completion and --show-completion (of the Tab key)"


def _panel(name: str, entries: Sequence[Entry]) -> Iterator[str]:
    yield name
    for entry in entries:
        if entry.panel == name:
            yield f"  {entry.name:<{NAME}}{entry.summary}"


def _columns(panels: list[list[str]]) -> tuple[list[str], list[str]]:
    """Panels in their order, a blank line before each; the second column begins where both are most alike."""

    def cut(at: int) -> tuple[list[str], list[str]]:
        left, right = ([line for panel in part for line in ("", *panel)] for part in (panels[:at], panels[at:]))
        return left, right

    return min((cut(at) for at in range(1, len(panels) + 1)), key=lambda both: max(map(len, both)))


class _Lazily(dict[str, Any]):
    """Commands by name; each is made when it is asked for."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__(dict.fromkeys(entry.name for entry in entries))
        self._entries = {entry.name: entry for entry in entries}

    def get(self, name: str, default: Any = None) -> Any:
        if name in self and self[name] is None:
            self[name] = load(self._entries[name])
        return super().get(name, default)

    def items(self) -> Any:
        return {name: self.get(name) for name in self}.items()


def load(entry: Entry) -> Any:
    """The command, its arguments completed by Tab, in its panel."""
    name = entry.name.replace("-", "_")
    module = import_module(f"cli.commands.{name}")
    if isinstance(group := getattr(module, "app", None), typer.Typer):
        complete(*(each.callback for each in group.registered_commands))
        command: Any = get_group(group)
        command.name = entry.name
    else:
        function = getattr(module, name)
        complete(function)
        alone = typer.Typer(add_completion=False)
        alone.command(entry.name, cls=StackCommand)(function)
        command = get_command(alone)
    command.rich_help_panel, command.short_help = entry.panel, entry.summary
    return command


def _named(entry: Entry) -> Any:
    """A command as its name's completion shows it."""
    return TyperCommand(entry.name, short_help=entry.summary)
