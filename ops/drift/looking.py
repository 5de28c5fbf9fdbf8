"""One look at a stack for what differs from what is declared. Changes nothing."""

from __future__ import annotations

from ops import local_cloud
from ops.adopting import Live, see
from ops.drift.finding import Scene, drifts, unknown
from ops.drift.model import Report
from ops.engine import Engine
from ops.failures import Failure
from ops.status.declared import Undeclared, read
from ops.status.judging import Commands
from ops.status.looking import look

STATE_SECONDS = 20.0


def look_for(engine: Engine) -> Report:
    """What differs now. Raises Failure when the stack's configuration cannot be used."""
    stack = engine.stack
    settings = stack.settings()
    if stack.on_local_cloud and local_cloud.health(stack) is None:
        start = f"The local cloud at {stack.endpoint} does not run; start it: oracle cloud start --stack {stack.name}"
        return Report(stack=stack.name, drifts=(), unknown=(start,))
    try:
        declared = read(engine, STATE_SECONDS)
    except Undeclared as error:
        why = f"{error}; {error.next}" if error.next else f"{error}; deploy it: {stack.update}"
        return Report(stack=stack.name, drifts=(), unknown=(why,))
    commands = Commands(stack=stack.name, local=stack.on_local_cloud, endpoint=stack.endpoint or "")
    scene = Scene(
        settings=settings,
        declared=declared,
        sight=look(engine, settings, declared),
        live=_listed(engine),
        commands=commands,
    )
    return Report(stack=stack.name, drifts=tuple(drifts(scene)), unknown=tuple(unknown(scene)))


def _listed(engine: Engine) -> Live | None:
    try:
        return see(engine, engine.stack.settings())
    except Failure:
        return None
