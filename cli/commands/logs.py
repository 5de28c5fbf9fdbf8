"""`oracle logs`: a run's output, also of one that goes on, from any terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.engine.workspace import Stack
from cli.runs.store import Runs
from cli.runs.supervise import INTERRUPTED, failed_run, follow, write_line


def logs(
    run: Annotated[str, typer.Argument(help="As `oracle runs` names it; the newest otherwise.", metavar="[RUN]")] = "",
    follow_on: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also the lines that say that nothing changes.")] = False,
) -> None:
    """Print what a run printed; with -f until it ends, with its exit status."""
    found = Runs(Stack("local").runs).find(run)
    try:
        ended = follow(found, write_line, wait=follow_on, everything=everything)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if ended.running:
        typer.echo(f"{ended.id} goes on: oracle logs {ended.id} -f", err=True)
    elif failure := failed_run(ended):
        raise failure
