"""The help screen, and commands that are imported on first use.

`oracle --help`, Tab and a mistyped name import none of the commands' dependencies.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from textwrap import wrap
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from cli.completion import complete
from cli.stack_argument import StackCommand

WIDTH = 100
"""The widest line of the help."""
NAME = 12
"""The columns of a command's name, with the space behind it."""
INDENT = " " * (2 + NAME)


@dataclass(frozen=True)
class Entry:
    """A command in the help: its panel, its name and its summary."""

    panel: str
    name: str
    summary: str


def screen(entries: Sequence[Entry]) -> type[TyperGroup]:
    """Return the class of a command group that has these commands."""

    class Screen(TyperGroup):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.commands = _LazyCommands(entries)

        def format_help(self, ctx: Any, _: Any) -> None:
            width = min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH)
            # Printed here, as Typer prints its own help: Typer does not show the formatter's text when no command is
            # given.
            typer.echo("\n".join(help_screen(ctx.info_name, entries, width)))

        def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
            loaded, self.commands = self.commands, {entry.name: _named(entry) for entry in entries}
            try:
                return super().shell_complete(ctx, incomplete)
            finally:
                self.commands = loaded

    return Screen


def help_screen(program: str, entries: Sequence[Entry], width: int) -> Iterator[str]:
    """Yield the lines of the help: one command per line, under the title of its panel."""
    yield f"Usage: {program} COMMAND [OPTIONS]       more on a command: {program} COMMAND --help"
    for panel in dict.fromkeys(entry.panel for entry in entries):
        yield from ("", panel)
        for entry in entries:
            if entry.panel == panel:
                yield from _entry_lines(entry, width)
    yield ""
    yield "Options: --help, --install-completion and --show-completion (of the Tab key)"


def _entry_lines(entry: Entry, width: int) -> list[str]:
    """Return the command's line; on a narrow terminal its summary continues below."""
    return wrap(entry.summary, width, initial_indent=f"  {entry.name:<{NAME}}", subsequent_indent=INDENT)


class _LazyCommands(dict[str, Any]):
    """Commands by name. Each is made on first use."""

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
    """Import a command and set its completion, panel and summary."""
    name = entry.name.replace("-", "_")
    module = import_module(f"cli.commands.{name}")
    if isinstance(group := getattr(module, "app", None), typer.Typer):
        complete(*(each.callback for each in group.registered_commands))
        for each in group.registered_commands:
            each.cls = StackCommand
        command: Any = get_group(group)
        command.name = entry.name
    else:
        function = getattr(module, name)
        complete(function)
        single = typer.Typer(add_completion=False)
        single.command(entry.name, cls=StackCommand)(function)
        command = get_command(single)
    command.rich_help_panel, command.short_help = entry.panel, entry.summary
    return command


def _named(entry: Entry) -> Any:
    """Return a command without code, for the completion of names."""
    return TyperCommand(entry.name, short_help=entry.summary)
