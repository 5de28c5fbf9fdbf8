"""`oracle status`: show the health of every service of a stack, and the fix of each problem."""

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
from errors import Fix

STATE_SECONDS = 60.0
"""Seconds for which `--watch` uses one reading of the state, which is the slowest of all reads."""


def status(
    stack: StackOption = "local",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two refreshes of --watch.", min=1, max=3600)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show running services against the declared ones, and fixes. Exit status: 0 healthy, 1 degraded, 2 down."""
    if watch and (as_json or not sys.stdout.isatty()):
        once = Fix(f"oracle status --stack {stack}{' --json' * as_json}", "to show the status once")
        raise CommandError("--watch needs a terminal, and excludes --json.", once)
    reader = StatusReader(Stack(stack), STATE_SECONDS if watch else 0)
    if watch:
        raise typer.Exit(_watch(reader, every))
    found = reader.gather()
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        render.show(found, screen())
    raise typer.Exit(found.exit_status)


def _watch(reader: StatusReader, every: float) -> int:
    """Refresh in place until an interrupt. Return the exit status of the last reading."""
    console, found = Console(highlight=False), reader.gather()
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        try:
            while True:
                _draw(live, console, found)
                time.sleep(every)
                found = reader.gather()
        except KeyboardInterrupt:
            return found.exit_status


def _draw(live: Live, console: Console, found: Status) -> None:
    """Draw the status, shortened if it is higher than the screen, because a higher one cannot be drawn over."""
    whole = render.render(found, console.width)
    fits = len(console.render_lines(whole)) < console.height
    live.update(whole if fits else render.render(found, console.width, brief=True), refresh=True)
