"""Collect the differences between the clouds and the state, without changing anything."""

from __future__ import annotations

import advice
from cli.adopt import LiveResources, discover
from cli.drift.detect import Observed, detect, unknown
from cli.drift.model import Report
from cli.engine import local_cloud
from cli.engine.pulumi import Engine
from cli.status.collect import collect
from cli.status.commands import Commands
from cli.status.declared import Undeclared, read
from cli.ui.errors import CommandError
from errors import Fix, Remedy, UserError

STATE_SECONDS = 20.0


def find_drift(engine: Engine) -> Report:
    """Return the current drift. Raises CommandError if the stack's configuration is invalid."""
    stack = engine.stack
    settings = stack.settings()
    if stack.on_local_cloud and local_cloud.health(stack) is None:
        stopped = UserError(f"The local cloud at {stack.endpoint} does not run.", Remedy.START_LOCAL_CLOUD)
        return Report(stack=stack.name, drifts=(), unknown=(advice.text(stopped, stack.name, ""),))
    try:
        declared = read(engine, STATE_SECONDS)
    except Undeclared as error:
        undeclared = error if error.helps else CommandError(error.problem, Fix(stack.update, "to deploy it"))
        return Report(stack=stack.name, drifts=(), unknown=(advice.text(undeclared, stack.name, ""),))
    scene = Observed(
        settings=settings,
        declared=declared,
        observations=collect(engine, settings, declared),
        live=_discover(engine),
        commands=Commands.of(stack),
    )
    return Report(stack=stack.name, drifts=tuple(detect(scene)), unknown=tuple(unknown(scene)))


def _discover(engine: Engine) -> LiveResources | None:
    try:
        return discover(engine, engine.stack.settings())
    except UserError:
        return None
