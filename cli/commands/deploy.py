"""`oracle deploy`: build services, show the plan, ask for confirmation and deploy, all in parallel."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from cli.commands.options import StackOption
from cli.deploy import service_plan
from cli.deploy.config_change import ready
from cli.deploy.deploy import prepare, refuse_receipt
from cli.deploy.summary import follow_to_the_table
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.runs.recorder import RunRecorder
from cli.runs.store import RunInfo, Runs
from cli.runs.supervise import start_detached
from cli.ui.errors import CommandError
from cli.ui.prompt import agree, refuse_unattended
from cli.ui.text import echo_wrapped


def deploy(
    services: Annotated[
        list[str] | None,
        typer.Argument(help="`backend` or a Worker's name. Without names: all services.", metavar="[SERVICE]..."),
    ] = None,
    stack: StackOption = "local",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    wait: Annotated[
        int, typer.Option(help="Wait up to this long for another update of the stack to end.", metavar="MINUTES", min=0)
    ] = 0,
    detach: Annotated[
        bool, typer.Option("--detach", help="Do not follow the run. Follow it later with `oracle logs -f`.")
    ] = False,
) -> None:
    """Build and deploy services in parallel; the others keep their release."""
    selected = service_plan.chosen(services or [], Stack(stack).settings())
    refuse_unattended(yes, as_json)
    engine = _ready(stack, as_json)
    with Runs(engine.stack.runs).start("deploy", engine.owner, sys.argv[1:]) as run:
        prepared = None
        if not yes:
            plan = prepare(RunRecorder(engine, run, echo_wrapped), selected)
            if not plan.nothing and not agree(yes, "Deploy this?"):
                run.discard()
                raise CommandError("Nothing was changed.")
            prepared = asdict(plan)
        task = {"do": "deploy", "services": list(selected), "prepared": prepared, "wait": wait * 60}
        start_detached(run, engine.stack, task)
        if detach:
            if as_json:
                typer.echo(json.dumps({"run": run.info.id}))
            else:
                echo_wrapped(_how_to_follow(run.info))
            return
        follow_to_the_table(run, as_json)


def _ready(stack: str, quiet: bool) -> Engine:
    chosen = Stack(stack)
    refuse_receipt(chosen)
    Runs(chosen.runs).refuse_busy(Engine(chosen).owner)
    return ready(stack, quiet=quiet, make=True)


def _how_to_follow(info: RunInfo) -> str:
    return f"{info.id} has started. To follow it, run `oracle logs {info.id} -f`."
