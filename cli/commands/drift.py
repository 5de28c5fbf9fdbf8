"""`oracle drift`: show differences between the clouds and the state, and repair them."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.deploy.config_change import ready
from cli.drift import Report, find_drift
from cli.drift.markdown import markdown
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.runs import report
from cli.runs.store import Runs
from cli.runs.supervise import run_in_view, start_detached
from cli.ui.errors import CommandError
from cli.ui.text import echo_wrapped
from errors import Fix


def drift(
    stack: Annotated[str, typer.Argument(help="The stack, as in Pulumi.<stack>.yaml.", metavar="[STACK]")] = "local",
    repair: Annotated[
        bool, typer.Option("--repair", help="Start a run that repairs the differences that need no decision.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    file: Annotated[
        Path | None,
        typer.Option("--markdown", help="Also append the result to this file, as Markdown.", metavar="FILE"),
    ] = None,
) -> None:
    """Show differences between the clouds and the state. Exit status: 0 none, 1 drift, 2 not everything was checked."""
    if repair and as_json:
        raise CommandError(
            "--json and --repair exclude each other.",
            Fix(f"oracle drift {stack} --repair", then=f"oracle drift {stack} --json"),
        )
    engine = Engine(Stack(stack))
    found = find_drift(engine)
    if file is not None:
        with file.open("a") as target:
            target.write(f"{markdown(found)}\n")
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        _show(found)
    if repair and found.drifts:
        _repair(engine, found)
        return
    raise typer.Exit(found.exit_status)


def _show(found: Report) -> None:
    if found.drifts:
        rows = [[each.about, each.owner, each.what] for each in found.drifts]
        report.table(["service", "cause", "difference"], rows)
        for each in found.drifts:
            echo_wrapped(f"  {each.about}: {' or '.join(f'`{command}`' for command in each.fixes(found.stack))}")
    for sentence in found.unknown:
        echo_wrapped(sentence)
    if not found.drifts:
        incomplete = "not everything could be checked, so the result is incomplete."
        echo_wrapped(f"{found.stack}: {incomplete if found.unknown else 'no drift.'}")


def _repair(engine: Engine, found: Report) -> None:
    repairable = [each for each in found.drifts if each.remedy != "none"]
    if not repairable:
        raise CommandError("None of these differences can be repaired automatically.", Fix(found.drifts[0].next))
    Runs(engine.stack.runs).refuse_busy(engine.owner)
    engine = ready(found.stack)
    with Runs(engine.stack.runs).start("repair", engine.owner, sys.argv[1:]) as run:
        start_detached(run, engine.stack, {"do": "repair", "drifts": [asdict(each) for each in repairable]})
        run_in_view(run)
