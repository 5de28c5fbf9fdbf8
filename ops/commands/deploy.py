"""`oracle deploy`: the named services' sources built, looked at, agreed to and deployed, all at once."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from ops import planning
from ops.ask import agree
from ops.change import ready
from ops.closing import follow_to_the_table
from ops.commands.options import StackOption
from ops.deploy import prepare, refuse_receipt
from ops.engine import Engine
from ops.failures import Failure
from ops.folding import say
from ops.following import hand_over
from ops.recording import Recording
from ops.runs import RunInfo, Runs
from ops.workspace import Stack


def deploy(
    services: Annotated[
        list[str] | None,
        typer.Argument(help="backend or a Worker's name; all when none is given.", metavar="[SERVICE]..."),
    ] = None,
    stack: StackOption = "local",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    wait: Annotated[
        int, typer.Option(help="Wait so long for another update of the stack to end.", metavar="MINUTES", min=0)
    ] = 0,
    detach: Annotated[bool, typer.Option("--detach", help="Do not follow the run: see `oracle logs`.")] = False,
) -> None:
    """Deploy services in parallel; the others keep what they run."""
    wanted = planning.chosen(services or [], Stack(stack).settings())
    again = " ".join(["oracle deploy", *(services or []), *([] if stack == "local" else ["--stack", stack])])
    if not yes and (as_json or not sys.stdin.isatty()):
        raise Failure(f"Nobody is at a terminal to agree to this; agree beforehand: {again} --yes")
    engine = _ready(stack, as_json)
    with Runs(engine.stack.runs).start("deploy", engine.owner, sys.argv[1:]) as run:
        prepared = None
        if not yes:
            plan = prepare(Recording(engine, run, say), wanted)
            if not plan.nothing and not agree(yes, again, "Deploy this?"):
                run.discard()
                raise Failure("Nothing was changed.")
            prepared = asdict(plan)
        task = {"do": "deploy", "services": list(wanted), "prepared": prepared, "wait": wait * 60}
        hand_over(run, engine.stack, task)
        if detach:
            if as_json:
                typer.echo(json.dumps({"run": run.info.id}))
            else:
                say(_whereabouts(run.info))
            return
        follow_to_the_table(run, as_json)


def _ready(stack: str, quiet: bool) -> Engine:
    chosen = Stack(stack)
    refuse_receipt(chosen)
    Runs(chosen.runs).refuse_busy(Engine(chosen).owner)
    return ready(stack, quiet=quiet, make=True)


def _whereabouts(info: RunInfo) -> str:
    return f"{info.id} goes on by itself; follow it: oracle logs {info.id} -f"
