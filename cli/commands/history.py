"""`oracle history`: list the changes of the backend's data, with who made each and how to undo it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

import advice
from cli.backups.stack_backups import Change, StackBackups
from cli.commands.options import StackArgument
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.runs.report import table
from clients.pocketbase import own_records
from errors import Fix
from stack_outputs import short_digest


def history(
    stack: StackArgument = "local",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every wipe, restore and release, newest first, with the command that undoes it."""
    found, complaints = StackBackups(Engine(Stack(stack))).history()
    if as_json:
        typer.echo(json.dumps([_plain(each) for each in found], indent=2))
    elif found:
        table(
            ("when", "what", "who", "from", "to", "records before", "backup", "to undo"),
            (_row(each) for each in found),
        )
        for each in found:
            for note in each.notes:
                typer.echo(f"{each.entry.at[:16]}: {note}")
    else:
        problem = f"The data of {stack} has not been changed yet."
        typer.echo(advice.with_fixes(problem, [Fix(Stack(stack).update, "to deploy it")]))
    for complaint in complaints:
        typer.echo(complaint, err=True)


def _row(each: Change) -> tuple[str, ...]:
    entry = each.entry
    records = sum(own_records(each.records).values())
    return (
        entry.at[:16],
        each.kind,
        entry.who,
        f"{entry.from_app} {short_digest(entry.from_release)}" if entry.from_app else "-",
        f"{entry.to_app} {short_digest(entry.to_release)}" if entry.to_app else "-",
        str(records) if each.backup else "-",
        each.backup or "-",
        each.undo or each.gone or "-",
    )


def _plain(each: Change) -> dict[str, object]:
    return {**asdict(each.entry), **{key: value for key, value in vars(each).items() if key != "entry"}}
