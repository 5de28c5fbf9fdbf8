"""Show a run on a terminal while it goes on: the resources, and beside them the logs of builds and of the backend."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.engine.events import Step, lines
from cli.runs import timeline
from cli.runs.store import RunInfo, steps
from retry import backoff

FOREVER = 7 * 24 * 3600.0
SIDE_BY_SIDE = 110
"""The columns from which on the log fits beside the resources; on a narrower terminal it is below them."""
LOG_LINE = re.compile(r"^[\w-]+ \| ")
STAMP = re.compile(
    r"(?<= \| )\S+ \d{4}-\d\d-\d\dT[\d:.]+Z "
)  # the platform's timestamp, before each line of a service's own
LOG_ROWS = 8


def show(run: RunInfo, terminal: Console) -> None:
    """Follow the run to its end; leave its last state on the screen, and after a failure the engine's diagnostics."""
    with Live(console=terminal, refresh_per_second=4, get_renderable=lambda: Picture(run), vertical_overflow="crop"):
        for _ in backoff(FOREVER, first=0.1, longest=0.25):
            if not run.again().running:
                break
    if run.again().status != "ok":
        output = run.output.read_text(errors="replace")
        terminal.print(Text(output[output.rfind("Diagnostics:") :] if "Diagnostics:" in output else output[-2000:]))


class Picture:
    """The run's present state, fitted to the terminal."""

    def __init__(self, run: RunInfo) -> None:
        self.run = run

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now = self.run.again()
        done = [step for step in timeline.rows(steps(now)) if step.ended is not None or now.running]
        room = max(6, console.size.height - 4)
        log = _log(now)
        yield Text(f"{now.kind} {now.stack} · {_clock(now)} · {now.status}", style="bold")
        if console.size.width >= SIDE_BY_SIDE and log:
            columns = Table.grid(expand=True, padding=(0, 3))
            columns.add_column()
            columns.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
            resources = _resources(done[-room:], now)
            columns.add_row(resources, Text("\n".join(log[-max(len(done[-room:]), LOG_ROWS) :]), style="dim"))
            yield columns
            return
        yield _resources(done[-max(4, room - LOG_ROWS) :], now)
        if log:
            yield Text("\n".join(log[-min(LOG_ROWS, room) :]), style="dim", no_wrap=True, overflow="ellipsis")


def _resources(done: Sequence[Step], run: RunInfo) -> Table:
    table = Table.grid(padding=(0, 2))
    for step in done:
        seconds = (step.ended - step.began) if step.ended is not None else max(0.0, _age(run) - step.began)
        mark, style = ("✗", "red") if not step.ok else ("✓", "green") if step.ended is not None else ("…", "yellow")
        table.add_row(f"[{style}]{mark}[/]", escape(step.name), f"[dim]{escape(step.op)}[/]", f"{seconds:.1f} s")
    return table


def _log(run: RunInfo) -> list[str]:
    """Return the log lines of builds and of the backend's deployment."""
    notes = [str(event["text"]) for event in lines(run.folder / "events.jsonl") if event["event"] == "note"]
    return [STAMP.sub("", line) for note in notes for line in note.splitlines() if LOG_LINE.match(line)]


def _clock(run: RunInfo) -> str:
    return f"{run.seconds if run.seconds is not None else _age(run):.0f} s"


def _age(run: RunInfo) -> float:
    return time.time() - run.clock
