"""Whether a stack may be promoted: it is healthy, nothing is at work on it, and it runs what its last update declared.

What lies in the checkouts, or in a stack's file and was not deployed, is not looked at: what runs is promoted.
"""

from __future__ import annotations

from cli.drift import Report, find_drift
from cli.engine.pulumi import Engine
from cli.runs.store import Runs
from cli.status import Status, gather
from cli.ui.errors import CommandError
from stack_outputs import Release
from storage.releases import named


def fit_release(engine: Engine) -> Release:
    """The receipt of what a fit stack runs.

    Raises CommandError naming the first thing that is wrong, and what to type.
    """
    stack = engine.stack
    Runs(stack.runs).refuse_busy(engine.owner)
    refuse_unhealthy(gather(stack))
    refuse_drifted(find_drift(engine))
    return named(engine.outputs().release)


def refuse_unhealthy(found: Status) -> None:
    """Raises CommandError. Old backups are no reason: they say nothing of what is promoted."""
    if wrong := [each for each in found.findings if each.about != "backups"]:
        first = min(wrong, key=lambda each: each.level != "down")
        more = f" ({len(wrong) - 1} more: oracle status --stack {found.stack})" if len(wrong) > 1 else ""
        raise CommandError(
            f"{found.stack} is {first.level}, and only what is healthy is promoted: {first.what.rstrip('.')}{more}. "
            f"Mend it: {first.next}"
        )
    if unwell := [each.name for each in found.services if each.level != "healthy"]:
        raise CommandError(
            f"{', '.join(unwell)} of {found.stack} is not healthy, and only what is healthy is promoted; see: "
            f"oracle status --stack {found.stack}"
        )
    if found.notes:
        raise CommandError(f"{found.stack} is not at rest: {found.notes[0]}")


def refuse_drifted(found: Report) -> None:
    """Raises CommandError where something was changed past the engine, or could not be looked at."""
    if found.drifts:
        first = found.drifts[0]
        more = f" ({len(found.drifts) - 1} more: oracle drift {found.stack})" if len(found.drifts) > 1 else ""
        raise CommandError(
            f"{found.stack} has drifted from what is declared: {first.what.rstrip('.')}{more}. "
            f"Put it right: oracle drift {found.stack} --repair"
        )
    if found.unknown:
        raise CommandError(
            f"Whether {found.stack} has drifted is not known: {found.unknown[0].rstrip('.')}. See: "
            f"oracle drift {found.stack}"
        )
