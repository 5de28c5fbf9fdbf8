"""The table of what runs: service, version, whether it answers, address."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

FILE_WIDTH = 200  # in a log nothing is gained by folding an address
GAP = 2
FOLDED = 24
"""Columns that a folded last column has at least."""


@dataclass(frozen=True)
class Row:
    service: str
    version: str
    answer: str
    address: str

    @property
    def well(self) -> bool:
        return self.answer == "ok"


def show(found: list[Row]) -> None:
    """Prints the table; addresses stay whole, since they are there to be copied."""
    table(
        ("service", "version", "answers", "address"),
        [(row.service, row.version, Text(row.answer, "green" if row.well else "red"), row.address) for row in found],
        whole=True,
    )


def table(
    columns: Sequence[str],
    lines: Iterable[Sequence[str | Text]],
    *,
    whole: bool = False,
) -> None:
    """Prints a table; where the terminal is too narrow for it, the last column folds, or each line is a paragraph.

    `whole`: the last column is there to be copied, and stands below the table rather than folded.
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
    """Standard output, at the width that it has."""
    return Console(width=None if sys.stdout.isatty() else FILE_WIDTH, highlight=False)


def _table(columns: Sequence[str], lines: Iterable[Sequence[Text]]) -> Table:
    shown = Table(*columns, box=None, pad_edge=False)
    for line in lines:
        shown.add_row(*line)
    for column in shown.columns:
        column.overflow = "fold"
    return shown


def _paragraph(columns: Sequence[str], line: Sequence[Text]) -> Table:
    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    for name, cell in zip(columns, line, strict=True):
        shown.add_row(Text(f"  {name}", "dim"), cell)
    return shown
