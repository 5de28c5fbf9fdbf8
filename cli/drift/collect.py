"""Collect the differences between the clouds and the state, without changing anything."""

from __future__ import annotations

import advice
from cli.adopt import LiveResources, discover
from cli.drift.detect import Observed, detect, unknown
from cli.drift.model import Report
from cli.engine import local_cloud
from cli.engine.pulumi import Engine
from cli.status.collect import collect
from cli.status.declared import Undeclared, read
from cli.status.diagnose import Commands
from cli.ui.errors import CommandError

STATE_SECONDS = 20.0


def find_drift(engine: Engine) -> Report:
    """Return the current drift. Raises CommandError if the stack's configuration is invalid."""
    stack = engine.stack
    settings = stack.settings()
    if stack.on_local_cloud and local_cloud.health(stack) is None:
        start = f"The local cloud at {stack.endpoint} does not run; start it: oracle cloud start --stack {stack.name}"
        return Report(stack=stack.name, drifts=(), unknown=(start,))
    try:
        declared = read(engine, STATE_SECONDS)
    except Undeclared as error:
        why = f"{error}; {advice.command(error, stack.name, stack.update)}"
        return Report(stack=stack.name, drifts=(), unknown=(why,))
    commands = Commands(stack=stack.name, local=stack.on_local_cloud, endpoint=stack.endpoint or "")
    scene = Observed(
        settings=settings,
        declared=declared,
        sight=collect(engine, settings, declared),
        live=_discover(engine),
        commands=commands,
    )
    return Report(stack=stack.name, drifts=tuple(detect(scene)), unknown=tuple(unknown(scene)))


def _discover(engine: Engine) -> LiveResources | None:
    try:
        return discover(engine, engine.stack.settings())
    except CommandError:
        return None
