"""The table of the runs, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.chaos.runs import Row

HEAD = (
    "| # | update | disturbed by | ended | first words shown | next `up` | converged | the data | no data | "
    "no backend | processes left | seconds |"
)
RULE = "|--:|---|---|---|---|---|---|---|--:|--:|--:|--:|"


def line(number: int, row: Row) -> str:
    converged = "yes" if row.converged else f"NO: {'; '.join(row.complaints)}"
    cells = [
        str(number),
        row.scenario,
        f"`{row.what}`",
        row.ended,
        row.words,
        row.up,
        converged,
        row.where,
        str(row.lost),
        str(row.silent),
        str(row.left),
        f"{row.seconds:.0f}",
    ]
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def summary(rows: list[Row]) -> str:
    broken = sum(not row.converged for row in rows)
    return (
        f"{len(rows)} runs, {broken} not converged, {sum(row.lost for row in rows)} moments without the data; "
        f"the data was looked for at least every {max((row.gap for row in rows), default=0):.2f} s"
    )


def write(file: Path, rows: Iterable[Row]) -> None:
    lines = [line(number, row) for number, row in enumerate(rows, 1)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([HEAD, RULE, *lines, "", summary(list(rows)), ""]))
