"""`oracle rollback`: deploy an earlier release of the backend and the Workers."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli.backups.stack_backups import StackBackups
from cli.builds.image import refuse_lost, runnable
from cli.commands.options import StackArgument
from cli.deploy.config_change import ready
from cli.engine.pulumi import Engine
from cli.releases import sync
from cli.releases.pin import Pin, pin
from cli.releases.promotion import existing
from cli.releases.rollback import chosen, declared, deployed_releases, listed, warnings
from cli.runs.report import table
from cli.runs.store import Runs
from cli.ui.prompt import refuse_unattended
from errors import Remedy
from stack_outputs import in_order, short_digest
from storage.releases import digests
from storage.releases.store import DeployedRelease


def rollback(
    stack: StackArgument,
    to: Annotated[str, typer.Option("--to", help="A release from --list. Without it: the previous release.")] = "",
    show: Annotated[bool, typer.Option("--list", help="List the releases to choose from, and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Deploy the previous release of the backend and the Workers together. The data is migrated."""
    chosen_stack = existing(stack)
    if show:
        found, complaints = listed(StackBackups(Engine(chosen_stack)))
        found, lost = runnable(chosen_stack, found)
        _list(found, as_json)
        for complaint in [*complaints, *lost]:
            typer.echo(complaint, err=True)
        return
    refuse_unattended(yes, as_json)
    Runs(chosen_stack.runs).refuse_busy(Engine(chosen_stack).owner)
    engine = ready(stack, quiet=as_json)
    stack_backups = StackBackups(engine)
    outputs = engine.outputs()
    current = declared(stack_backups.settings, outputs)
    target = chosen(deployed_releases(stack_backups), current, to, stack)
    refuse_lost(chosen_stack, target.receipt, outputs.release["backend"], Remedy.LIST_RELEASES)
    sync.fetch(stack_backups, target.receipt)
    lines = [
        f"{stack} goes back to the release {target.id}, which {target.who} deployed:",
        *warnings(stack_backups, outputs, target.receipt),
    ]
    pin(engine, Pin(kind="rollback", release=target.receipt, lines=lines), yes=yes, as_json=as_json)


def _list(found: list[DeployedRelease], as_json: bool) -> None:
    if as_json:
        plain = [{"release": each.id, "at": each.at, "who": each.who, "receipt": each.release} for each in found]
        typer.echo(json.dumps(plain, indent=2))
        return
    services = in_order({name for each in found for name in digests(each.receipt)})
    rows = [
        [each.id, each.who, *(short_digest(digests(each.receipt).get(name, "")) for name in services)] for each in found
    ]
    table(["release", "who", *services], rows)
