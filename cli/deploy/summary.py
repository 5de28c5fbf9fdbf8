"""Follow a deploy run to its end, and print the table of services or one JSON document."""

from __future__ import annotations

import json
import sys

import typer

from cli.deploy.deploy import Deployed, table
from cli.runs import report
from cli.runs.store import Run, RunInfo
from cli.runs.supervise import run_in_view
from cli.ui.errors import CommandError


def follow_to_the_table(run: Run, as_json: bool) -> None:
    """Follow a detached run to its end, and print its result. Raises CommandError when it fails."""
    failure: CommandError | None = None
    try:
        run_in_view(run, quiet=as_json)
    except CommandError as error:
        failure = error
    info = run.info
    if as_json:
        typer.echo(json.dumps(_document(info), indent=2))
    elif failure is None and sys.stdout.isatty():
        typer.echo()
        report.table(*table([Deployed(**row) for row in info.result["services"]]), whole=True)
    if not as_json:
        typer.echo(f"\nFor a chart of the run, run `oracle timeline {info.id} --svg timeline.svg`.")
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
