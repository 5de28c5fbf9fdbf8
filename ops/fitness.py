"""Whether a stack may be promoted: it is healthy, nothing is at work on it, and it is what is declared."""

from __future__ import annotations

from contract import Release
from ops import planning
from ops.drift import Report, look_for
from ops.engine import Engine
from ops.failures import Failure
from ops.planning import Change, Foreseen
from ops.recording import Recording
from ops.runs import Runs
from ops.status import Status, gather
from ops.workspace import Stack
from releases import named, same_bytes

HELD = frozenset({"oracle-net:receipt", "oracle-net:backend"})
"""What the receipt of what runs changes in the configuration; whatever else follows from it is in the plan itself."""


def fit_release(engine: Engine, again: str) -> Release:
    """The receipt of a stack that is fit, with the commits as they are now. Raises Failure naming the first thing that
    is wrong, and what to type.
    """
    stack = engine.stack
    Runs(stack.runs).refuse_busy(engine.owner)
    refuse_unhealthy(gather(stack))
    refuse_drifted(look_for(engine))
    runs, plan = engine.outputs().release, _foreseen(engine, again)
    declared: Release = plan.new.get("release") or runs
    refuse_unrest(stack, plan, same=same_bytes(declared, runs))
    return named(declared)


def refuse_unhealthy(found: Status) -> None:
    """Raises Failure. Old backups are no reason: they say nothing of what is promoted."""
    if wrong := [each for each in found.findings if each.about != "backups"]:
        first = min(wrong, key=lambda each: each.level != "down")
        more = f" ({len(wrong) - 1} more: oracle status --stack {found.stack})" if len(wrong) > 1 else ""
        raise Failure(
            f"{found.stack} is {first.level}, and only what is healthy is promoted: {first.what.rstrip('.')}{more}. "
            f"Mend it: {first.next}"
        )
    if unwell := [each.name for each in found.services if each.level != "healthy"]:
        raise Failure(
            f"{', '.join(unwell)} of {found.stack} is not healthy, and only what is healthy is promoted; see: "
            f"oracle status --stack {found.stack}"
        )
    if found.notes:
        raise Failure(f"{found.stack} is not at rest: {found.notes[0]}")


def refuse_drifted(found: Report) -> None:
    """Raises Failure where something was changed past the engine, or could not be looked at."""
    if found.drifts:
        first = found.drifts[0]
        more = f" ({len(found.drifts) - 1} more: oracle drift {found.stack})" if len(found.drifts) > 1 else ""
        raise Failure(
            f"{found.stack} has drifted from what is declared: {first.what.rstrip('.')}{more}. "
            f"Put it right: oracle drift {found.stack} --repair"
        )
    if found.unknown:
        raise Failure(
            f"Whether {found.stack} has drifted is not known: {found.unknown[0].rstrip('.')}. See: "
            f"oracle drift {found.stack}"
        )


def refuse_unrest(stack: Stack, plan: Foreseen, *, same: bool) -> None:
    """Raises Failure where an update would change anything: then what runs is not what is declared."""
    changes = [each for each in plan.changes if not _held_only(each)]
    if changes or not same:
        changed = ", ".join(dict.fromkeys(map(_part, changes))) or "its receipt"
        raise Failure(
            f"{stack.name} is not what is declared: an update would change {changed}. Look: pulumi preview -s "
            f"{stack.name}; then update it first: {stack.update}"
        )


def _held_only(change: Change) -> bool:
    """Whether the stack is merely held to what it runs, by a receipt that no update has seen yet."""
    return change.name == planning.CONFIGURED and bool(change.inputs) and change.inputs <= HELD


def _part(change: Change) -> str:
    if change.name == planning.CONFIGURED:
        return "what its configuration says"
    return planning.service_of(change.name) or change.name


def _foreseen(engine: Engine, again: str) -> Foreseen:
    with Runs(engine.stack.runs).start("preview", engine.owner) as run:
        try:
            return planning.foreseen(Recording(engine, run).preview(again=again))
        finally:
            run.discard()
