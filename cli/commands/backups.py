"""`oracle backups`: list the backups of a stack."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

import advice
from cli.backups.stack_backups import StackBackups
from cli.commands.options import StackArgument
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.runs.report import table
from cli.ui import phrases
from errors import Fix
from storage.backups import Backup, new_key


def backups(
    stack: StackArgument = "local",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    key: Annotated[
        bool, typer.Option("--new-key", help="Print a new key for encrypted backups, and the command that sets it.")
    ] = False,
) -> None:
    """List the stack's backups, newest first."""
    if key:
        typer.echo(new_key())
        set_key = f"pulumi config set --secret oracle-net:backupKey --stack {stack}"
        typer.echo(f"Store a copy elsewhere, then run `{set_key}`.", err=True)
        return
    found, complaints = StackBackups(Engine(Stack(stack))).catalog_without_key.survey()
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], indent=2))
    elif found:
        table(("backup", "why", "when", "size", "records", "files", "verified"), map(_row, found))
    else:
        typer.echo(advice.with_fixes(f"There are no backups of {stack} yet.", [Fix(f"oracle backup {stack}")]))
    for complaint in complaints:
        typer.echo(advice.text(complaint, stack, ""), err=True)


def _row(found: Backup) -> tuple[str, ...]:
    verified = "yes, encrypted" if found.encrypted else "yes"
    return (
        found.id,
        found.reason,
        found.created[:16],
        phrases.size(found.size),
        str(found.own_records),
        str(found.files),
        verified,
    )
