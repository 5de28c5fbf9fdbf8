"""`oracle adopt`: import resources that were made by hand, without redeploying them."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
import yaml

from cli.adopt import (
    Adoption,
    Difference,
    LiveResources,
    address_refusals,
    adoption,
    differences,
    discover,
    fetch_code,
    refusals,
)
from cli.commands.options import StackArgument
from cli.deploy.config_change import ready
from cli.engine import local_cloud
from cli.engine.plugins import Plugins, provide
from cli.engine.pulumi import Engine, resources_in
from cli.engine.workspace import Stack
from cli.runs import report
from cli.runs.store import Runs
from cli.runs.supervise import run_in_view, start_detached
from cli.ui.errors import CommandError
from cli.ui.prompt import agree
from cli.ui.text import echo_wrapped
from clients.pocketbase import login
from errors import First, Fix, Remedy, SetKey, UserError, UserErrors
from settings import Settings

PASSWORD = "oracle-net:adminPassword"
LEAST_PASSWORD = 10
SET_PASSWORD = SetKey(PASSWORD, secret=True)


def adopt(
    stack: StackArgument,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the resources that would be imported, and stop.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Import resources that were made by hand into the stack, without redeploying them."""
    engine = _engine_without_changes(stack) if dry_run else ready(stack, make=True)
    settings = engine.stack.settings()
    Runs(engine.stack.runs).refuse_busy(engine.owner)
    live = discover(engine, settings)
    services = _unadopted(engine, settings)
    if not services:
        raise CommandError(
            f"All services of {stack} were already released from here.",
            Fix(f"oracle status --stack {stack}", "to see them"),
        )
    code = fetch_code(engine, settings)
    if problems := [
        *refusals(settings, live, services, engine.owner),
        *address_refusals(settings, live, code, services, engine.stack.project),
    ]:
        raise UserErrors([UserError("Nothing was adopted."), *problems])
    plan = adoption(settings, live, services)
    _explain(plan, list(differences(settings, live, services)))
    if dry_run:
        _show_lines(plan)
        return
    if "backend" in services:
        _prove_admin(engine, settings, live)
    if not agree(yes, "Adopt this?"):
        raise CommandError("Nothing was changed.")
    if engine.stack.on_local_cloud:
        provide(engine.stack, Plugins.auto)
    with Runs(engine.stack.runs).start("adopt", engine.owner, sys.argv[1:]) as run:
        start_detached(run, engine.stack, {"do": "adopt", "services": list(services), "values": dict(plan.values)})
        run_in_view(run)


def _engine_without_changes(name: str) -> Engine:
    """Return the engine of a stack, which may be missing from the state. The stack is not created."""
    stack = Stack(name)
    stack.settings()
    if stack.on_local_cloud:
        local_cloud.start(stack)
    return Engine(stack)


def _unadopted(engine: Engine, settings: Settings) -> tuple[str, ...]:
    """Return the services that the state does not own."""
    state = engine.export() if engine.stack.name in engine.stacks() else {}
    resources = resources_in(state)
    names = {each["urn"].rpartition("::")[2] for each in resources}
    own = {name for name in settings.services if ("backend-app" if name == "backend" else f"{name}-script") in names}
    return tuple(name for name in settings.services if name not in own or name in settings.adopted)


def _explain(plan: Adoption, found: list[Difference]) -> None:
    echo_wrapped("These resources would be adopted, without a deployment or an upload:")
    for line in plan.words:
        echo_wrapped(f"  {line}")
    if not found:
        echo_wrapped("Except for code, the configuration declares what runs.")
        return
    echo_wrapped("\nThe first release of each service would change this:")
    rows = [[each.key, _value(each.runs), _value(each.declared), each.effect] for each in found]
    report.table(["key", "runs", "declared", "the first release"], rows)
    if lines := _declaration(found):
        echo_wrapped("\nTo keep the running values, write these lines into the stack's file:")
        typer.echo(lines)


def _value(value: object) -> str:
    return "" if value is None else str(value)


def _declaration(found: list[Difference]) -> str:
    """Return the lines of `Pulumi.<stack>.yaml` that would declare the live values."""
    return _lines({each.key: each.runs for each in found if each.runs is not None and ":" not in each.key})


def _show_lines(plan: Adoption) -> None:
    echo_wrapped("\nThe adoption writes these lines into the stack's file before it imports:")
    alerts = {"backend.alerts": [dict(each) for each in plan.alerts]} if plan.alerts else {}
    typer.echo(_lines({**plan.adopted, **alerts}))


def _lines(values: Mapping[str, object]) -> str:
    """Return values by key, such as `workers.web.workersDev`, in the format of the stack's file."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        section, *path = key.split(".")
        where = tree.setdefault(f"oracle-net:{section}", {})
        for part in path[:-1]:
            where = where.setdefault(part, {})
        where[path[-1]] = value
    return yaml.safe_dump({"config": tree}, sort_keys=False).rstrip() if tree else ""


def _prove_admin(engine: Engine, settings: Settings, live: LiveResources) -> None:
    """Check that the configured password logs in. Without one, prompt for it and store it in the configuration."""
    if settings.admin_password is not None:
        password = engine.run_checked("config", "get", PASSWORD, "--stack", engine.stack.name).rstrip("\n")
    elif sys.stdin.isatty():
        password = getpass.getpass(f"Password of {settings.admin_email} in PocketBase: ")
    else:
        raise CommandError(f"The password of {settings.admin_email} is not known.", SET_PASSWORD)
    if len(password) < LEAST_PASSWORD:
        raise CommandError(
            f"The password of {settings.admin_email} has fewer than {LEAST_PASSWORD} characters, which the stack's "
            "configuration refuses.",
            First("set a longer one in PocketBase", Remedy.RETRY),
        )
    if not _logs_in(settings, live, password):
        raise CommandError(
            f"The backend at {live.url} refuses the login of {settings.admin_email}.",
            SetKey("oracle-net:adminEmail", "EMAIL"),
            SET_PASSWORD,
        )
    if settings.admin_password is None:
        engine.set_secret(PASSWORD, password)


def _logs_in(settings: Settings, live: LiveResources, password: str) -> bool:
    return live.url is not None and login(live.url, settings.admin_email, password, seconds=5) is not None
