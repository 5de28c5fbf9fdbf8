"""Tables on the terminal; the table of running services has service, version, health and address."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

FILE_WIDTH = 200  # in a log an address gains nothing from wrapping
GAP = 2
FOLDED = 24
"""The minimum columns of a wrapped last column."""


@dataclass(frozen=True)
class Row:
    service: str
    version: str
    answer: str
    address: str

    @property
    def well(self) -> bool:
        return self.answer == "ok"


def show(services: list[Row]) -> None:
    """Print the table of services; addresses are not wrapped, so that they can be copied."""
    table(
        ("service", "version", "answers", "address"),
        [(row.service, row.version, Text(row.answer, "green" if row.well else "red"), row.address) for row in services],
        whole=True,
    )


def table(
    columns: Sequence[str],
    lines: Iterable[Sequence[str | Text]],
    *,
    whole: bool = False,
) -> None:
    """Print a table. If the terminal is too narrow, the last column wraps, or each line becomes a paragraph.

    `whole`: the last column is for copying. It goes below the table instead of wrapping.
    """
    console = screen()
    cells = [tuple(cell if isinstance(cell, Text) else Text(cell) for cell in line) for line in lines]
    widths = [max(map(len, column)) + GAP for column in zip(columns, *cells, strict=True)]
    last = widths[-1] - GAP
    room = console.width - sum(widths[:-1])
    if room >= last or (not whole and room >= FOLDED):
        console.print(_table(columns, cells))
    elif whole and room + GAP >= 0:
        console.print(_table(columns[:-1], [line[:-1] for line in cells]))
        for line in cells:
            console.print(
                Text.assemble("\n" * (line is cells[0]), f"{line[0].plain:<{widths[0]}}", line[-1]), soft_wrap=True
            )
    else:
        for line in cells:
            console.print(Text.assemble((f"{line[0].plain}  {line[1].plain}", "bold")))
            console.print(_paragraph(columns[2:], line[2:]))


def screen() -> Console:
    """Return a console on standard output with the terminal's width."""
    return Console(width=None if sys.stdout.isatty() else FILE_WIDTH, highlight=False)


def _table(columns: Sequence[str], lines: Iterable[Sequence[Text]]) -> Table:
    grid = Table(*columns, box=None, pad_edge=False)
    for line in lines:
        grid.add_row(*line)
    for column in grid.columns:
        column.overflow = "fold"
    return grid


def _paragraph(columns: Sequence[str], line: Sequence[Text]) -> Table:
    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, cell in zip(columns, line, strict=True):
        grid.add_row(Text(f"  {name}", "dim"), cell)
    return grid
