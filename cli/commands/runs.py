"""`oracle runs`: list the runs that were started from this checkout, and their results."""

from __future__ import annotations

import json
from typing import Annotated

import typer

import advice
from cli.engine.workspace import FIRST, Stack
from cli.runs import report
from cli.runs.store import RunInfo, Runs
from errors import Fix

NEWEST = 20
"""The number of runs that are listed without `--all`."""


def runs(
    stack: Annotated[
        str | None, typer.Option("--stack", "-s", help="Only the runs of this stack.", metavar="STACK")
    ] = None,
    all_runs: Annotated[bool, typer.Option("--all", help="All recorded runs, not only the newest 20.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List past and current runs, newest first: deploys, wipes, restores and updates."""
    found = [run for run in Runs(Stack("local").runs).list() if stack in (None, run.stack)]
    shown = found if all_runs else found[:NEWEST]
    if as_json:
        typer.echo(json.dumps([document(run) for run in shown], indent=2))
        return
    if not found:
        first = Fix(f"oracle deploy --stack {stack}" if stack else f"oracle up {FIRST}", "to start the first")
        typer.echo(advice.with_fixes("There are no runs yet.", [first]))
        return
    report.table(("run", "stack", "status", "seconds", "who"), [_row(run) for run in shown])
    if len(found) > len(shown):
        only = f" --stack {stack}" if stack else ""
        typer.echo(f"There are {len(found) - len(shown)} older ones. To list them, run `oracle runs{only} --all`.")


def document(run: RunInfo) -> dict[str, object]:
    """Return the run as JSON data."""
    return {
        "id": run.id,
        "kind": run.kind,
        "stack": run.stack,
        "who": run.who,
        "began": run.began,
        "ended": run.ended,
        "seconds": run.seconds,
        "status": run.status,
        "error": run.error,
        "arguments": list(run.arguments),
    }


def _row(run: RunInfo) -> tuple[str, ...]:
    seconds = "" if run.seconds is None else f"{run.seconds:.0f}"
    return run.id, run.stack, run.status, seconds, run.who
