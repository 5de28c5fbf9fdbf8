"""`oracle logs`: print the output of a run, finished or not, from any terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.engine.workspace import Stack
from cli.runs.store import Runs
from cli.runs.supervise import INTERRUPTED, failed_run, follow, write_line


def logs(
    run: Annotated[
        str, typer.Argument(help="A run from `oracle runs`. Without it: the newest run.", metavar="[RUN]")
    ] = "",
    follow_on: Annotated[
        bool, typer.Option("--follow", "-f", help="Follow the run until it ends, and exit with its status.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also print the lines about unchanged resources.")] = False,
) -> None:
    """Print the output of a run; -f follows it until it ends."""
    found = Runs(Stack("local").runs).find(run)
    try:
        ended = follow(found, write_line, wait=follow_on, everything=everything)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if ended.running:
        typer.echo(f"{ended.id} is still running. To follow it, run `oracle logs {ended.id} -f`.", err=True)
    elif failure := failed_run(ended):
        raise failure
