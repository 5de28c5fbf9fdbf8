"""The table of what runs: service, version, whether it answers, address."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contract import Outputs
from loopback import client, httpx

FILE_WIDTH = 200  # in a log nothing is gained by folding an address


@dataclass(frozen=True)
class Row:
    service: str
    version: str
    answer: str
    address: str

    @property
    def well(self) -> bool:
        return self.answer == "ok"


def rows(outputs: Outputs) -> Iterator[Row]:
    """Asks every service of the stack for its version."""
    asked = {
        "backend": (outputs.backend_url, "/api/version", "version"),
        "api": (outputs.api_url, "/api/version", "version"),
        "web": (outputs.web_url, "/config.json", "release"),
        "universe": (outputs.universe_url, "/config.json", "release"),
    }
    with client(timeout=10) as http:
        for service, (address, path, key) in asked.items():
            version, answer = _ask(http, f"{address}{path}", key)
            yield Row(service, version, answer, address)


def show(found: list[Row]) -> None:
    """Prints the table; addresses stay whole, since they are there to be copied."""
    table = Table("service", "version", "answers", "address", box=None, pad_edge=False)
    for row in found:
        table.add_row(
            row.service, row.version, f"[green]{row.answer}[/]" if row.well else f"[red]{row.answer}[/]", row.address
        )
    table.columns[3].overflow = "fold"
    Console(width=None if sys.stdout.isatty() else FILE_WIDTH).print(table)


def table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Prints a table whose last column, there to be copied, is never cut."""
    shown = Table(*columns, box=None, pad_edge=False)
    for line in lines:
        shown.add_row(*(escape(cell) for cell in line))
    for column in shown.columns:
        column.overflow = "fold"
    Console(width=None if sys.stdout.isatty() else FILE_WIDTH).print(shown)


def _ask(http: httpx.Client, url: str, key: str) -> tuple[str, str]:
    try:
        response = http.get(url)
        version = str(response.json().get(key, "")) if response.status_code == 200 else ""
    except httpx.HTTPError as error:
        return "", type(error).__name__
    except ValueError:
        return "", "ok"
    return version.removeprefix("sha256:")[:12], "ok" if response.status_code == 200 else str(response.status_code)
