"""`oracle doctor`: check the tools, tokens and settings that a stack needs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from cli.commands.options import StackOption
from cli.doctor import Finding, examine, worst
from cli.engine.workspace import Stack
from cli.runs.report import screen

COLORS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    stack: StackOption = "local",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check tokens, names, tools, state, lock, clock, backups and disk. Exit status: 0 no failure, 1 failures."""
    found = examine(Stack(stack))
    level = worst(found)
    if as_json:
        document = {"stack": stack, "level": level, "findings": [asdict(each) for each in found]}
        typer.echo(json.dumps(document, indent=2))
    else:
        _show(found)
    raise typer.Exit(1 if level == "fail" else 0)


def _show(found: list[Finding]) -> None:
    """Print a line for each finding, with its remedy below. Nothing is cut, because remedies are copied."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for each in found:
        table.add_row(Text(each.level, COLORS[each.level]), each.check, Text(each.what))
        if each.remedy:
            table.add_row("", "", Text(f"next: {each.remedy}", "bold"))
    screen().print(table)
