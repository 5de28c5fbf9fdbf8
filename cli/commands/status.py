"""`oracle status`: everything about a stack at once, and what to do about what is wrong."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from cli.commands.options import StackOption
from cli.engine.workspace import Stack
from cli.runs.report import screen
from cli.status import Status, render
from cli.status.snapshot import StatusReader
from cli.ui.errors import CommandError

STATE_SECONDS = 60.0
"""How long `--watch` goes by one reading of the state, which costs more than all the rest."""


def status(
    stack: StackOption = "local",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks of --watch.", min=1, max=3600)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show what runs against what is declared. Exit status: 0 healthy, 1 degraded, 2 down."""
    if watch and (as_json or not sys.stdout.isatty()):
        raise CommandError(f"--watch is for terminals; look once: oracle status --stack {stack}{' --json' * as_json}")
    look = StatusReader(Stack(stack), STATE_SECONDS if watch else 0)
    if watch:
        raise typer.Exit(_watched(look, every))
    found = look.gather()
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        render.show(found, screen())
    raise typer.Exit(found.exit_status)


def _watched(look: StatusReader, every: float) -> int:
    """Refreshes in place until somebody interrupts; the exit status of the last look."""
    console, found = Console(highlight=False), look.gather()
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        try:
            while True:
                _put(live, console, found)
                time.sleep(every)
                found = look.gather()
        except KeyboardInterrupt:
            return found.exit_status


def _put(live: Live, console: Console, found: Status) -> None:
    """What is higher than the screen could not be drawn over."""
    whole = render.render(found, console.width)
    fits = len(console.render_lines(whole)) < console.height
    live.update(whole if fits else render.render(found, console.width, brief=True), refresh=True)
