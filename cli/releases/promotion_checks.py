"""Check that a stack may be promoted: it is healthy and idle, and runs the release that its last update declared.

Checkouts and undeployed changes of a stack's file are not checked, since the running release is promoted.
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
    """Return the receipt of the running release of a stack that passes all checks.

    Raises CommandError, with the first problem and its fix.
    """
    stack = engine.stack
    Runs(stack.runs).refuse_busy(engine.owner)
    refuse_unhealthy(gather(stack))
    refuse_drifted(find_drift(engine))
    return named(engine.outputs().release)


def refuse_unhealthy(status: Status) -> None:
    """Raise CommandError if the stack is not healthy. Old backups do not count: they do not concern the release."""
    if problems := [each for each in status.findings if each.about != "backups"]:
        first = min(problems, key=lambda each: each.level != "down")
        more = f" ({len(problems) - 1} more: oracle status --stack {status.stack})" if len(problems) > 1 else ""
        raise CommandError(
            f"{status.stack} is {first.level}, and only what is healthy is promoted: {first.what.rstrip('.')}{more}. "
            f"Fix: {first.next}"
        )
    if unhealthy := [each.name for each in status.services if each.level != "healthy"]:
        raise CommandError(
            f"{', '.join(unhealthy)} of {status.stack} is not healthy, and only what is healthy is promoted; see: "
            f"oracle status --stack {status.stack}"
        )
    if status.notes:
        raise CommandError(f"{status.stack} is not at rest: {status.notes[0]}")


def refuse_drifted(report: Report) -> None:
    """Raise CommandError if a resource was changed outside the engine, or could not be read."""
    if report.drifts:
        first = report.drifts[0]
        more = f" ({len(report.drifts) - 1} more: oracle drift {report.stack})" if len(report.drifts) > 1 else ""
        raise CommandError(
            f"{report.stack} has drifted from what is declared: {first.what.rstrip('.')}{more}. "
            f"Put it right: oracle drift {report.stack} --repair"
        )
    if report.unknown:
        raise CommandError(
            f"Whether {report.stack} has drifted is not known: {report.unknown[0].rstrip('.')}. See: "
            f"oracle drift {report.stack}"
        )
