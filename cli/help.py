"""Commands that are imported on first use. `oracle --help`, Tab and a mistyped name import no command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from cli.completion import complete
from cli.stack_argument import StackCommand


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

        def format_help(self, ctx: Any, formatter: Any) -> None:
            with self._named():
                super().format_help(ctx, formatter)

        def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
            with self._named():
                return super().shell_complete(ctx, incomplete)

        @contextmanager
        def _named(self) -> Iterator[None]:
            """Use commands without code: their names and summaries are all that is needed."""
            loaded, self.commands = self.commands, {entry.name: _without_code(entry) for entry in entries}
            try:
                yield
            finally:
                self.commands = loaded

    return Screen


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


def _without_code(entry: Entry) -> Any:
    return TyperCommand(entry.name, short_help=entry.summary, rich_help_panel=entry.panel)
