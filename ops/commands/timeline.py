"""`oracle timeline`: a run over time, on the terminal or as a chart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ops import timeline as chart
from ops.failures import Failure
from ops.folding import say
from ops.recording import TIMELINE_WIDTH
from ops.runs import Runs, steps
from ops.workspace import Stack


def timeline(
    run: Annotated[str, typer.Argument(help="As `oracle runs` names it; the newest otherwise.", metavar="[RUN]")] = "",
    svg: Annotated[Path | None, typer.Option(help="Write a chart to this file.", metavar="FILE")] = None,
) -> None:
    """Show which resources a run was at when, and what the others waited for."""
    found = Runs(Stack("local").runs).find(run)
    done = steps(found)
    if not chart.rows(done):
        raise Failure(f"{found.id} changed nothing, so there is nothing to draw; its output: oracle logs {found.id}")
    if svg is None:
        terminal = Console()
        say(chart.text(done, min(terminal.width, 160) if terminal.is_terminal else TIMELINE_WIDTH))
        return
    svg.write_text(chart.svg(done, f"{found.kind} {found.stack}, {found.began[:16].replace('T', ' ')} UTC"))
    typer.echo(f"Wrote {svg}")
