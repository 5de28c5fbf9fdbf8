"""The end of a run that deploys services: followed from here, then the table of what answers, or one JSON document."""

from __future__ import annotations

import json
import sys

import typer

from ops import report
from ops.deploy import Deployed, table
from ops.failures import Failure
from ops.following import shown
from ops.runs import Run, RunInfo


def follow_to_the_table(run: Run, as_json: bool) -> None:
    """Follows a run that was handed over. Raises Failure when it fails."""
    failure: Failure | None = None
    try:
        shown(run, quiet=as_json)
    except Failure as error:
        failure = error
    info = run.info
    if as_json:
        typer.echo(json.dumps(_document(info), indent=2))
    elif failure is None and sys.stdout.isatty():
        typer.echo()
        report.table(*table([Deployed(**row) for row in info.result["services"]]), whole=True)
    if not as_json:
        typer.echo(f"\nTimeline: oracle timeline {info.id} --svg timeline.svg")
    if failure:
        raise failure


def _document(info: RunInfo) -> dict[str, object]:
    return {
        "run": info.id,
        "stack": info.stack,
        "status": info.status,
        "error": info.error,
        "seconds": info.seconds,
        "plan": info.result.get("plan", []),
        "services": info.result.get("services", []),
    }
