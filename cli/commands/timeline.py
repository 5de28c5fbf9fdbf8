"""`oracle timeline`: draw when each resource of a run changed, on the terminal or as a chart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.engine.workspace import Stack
from cli.runs import timeline as chart
from cli.runs.recorder import TIMELINE_WIDTH
from cli.runs.store import Runs, steps
from cli.ui.errors import CommandError
from cli.ui.text import echo_wrapped
from errors import Fix


def timeline(
    run: Annotated[
        str, typer.Argument(help="A run from `oracle runs`. Without it: the newest run.", metavar="[RUN]")
    ] = "",
    svg: Annotated[Path | None, typer.Option(help="Write a chart to this file, as SVG.", metavar="FILE")] = None,
) -> None:
    """Draw when each resource of a run changed, and which others it waited for."""
    found = Runs(Stack("local").runs).find(run)
    done = steps(found)
    if not chart.rows(done):
        raise CommandError(
            f"{found.id} changed nothing, so there is nothing to draw.",
            Fix(f"oracle logs {found.id}", "to read its output"),
        )
    if svg is None:
        terminal = Console()
        echo_wrapped(chart.text(done, min(terminal.width, 160) if terminal.is_terminal else TIMELINE_WIDTH))
        return
    svg.write_text(chart.svg(done, f"{found.kind} {found.stack}, {found.began[:16].replace('T', ' ')} UTC"))
    typer.echo(f"Wrote {svg}")
