"""Check that a stack may be promoted: it is healthy and idle, and runs the release that its last update declared.

Checkouts and undeployed changes of a stack's file are not checked, since the running release is promoted.
"""

from __future__ import annotations

from cli.drift import Report, find_drift
from cli.engine.pulumi import Engine
from cli.runs.store import Runs
from cli.status import Status, gather
from cli.ui.errors import CommandError
from errors import First, Fix, Remedy
from stack_outputs import Release
from storage.releases import named


def release_to_promote(engine: Engine) -> Release:
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
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise CommandError(
            f"{status.stack} is {first.level}, and only a healthy stack is promoted: {first.what.rstrip('.')}{more}.",
            Fix(first.next),
            *([Fix(f"oracle status {status.stack}", "to see all problems")] if more else []),
        )
    if unhealthy := [each.name for each in status.services if each.level != "healthy"]:
        raise CommandError(
            f"{', '.join(unhealthy)} of {status.stack} is not healthy, and only a healthy stack is promoted.",
            Fix(f"oracle status {status.stack}", "to see the cause"),
        )
    if status.notes:
        raise CommandError(
            f"{status.stack} is changing, and only an idle stack is promoted: {status.notes[0].rstrip('.')}.",
            First("wait for the end of the change", Remedy.RETRY),
        )


def refuse_drifted(report: Report) -> None:
    """Raise CommandError if a resource was changed outside the engine, or could not be read."""
    if report.drifts:
        first = report.drifts[0]
        more = f", and {len(report.drifts) - 1} more" if len(report.drifts) > 1 else ""
        raise CommandError(
            f"{report.stack} differs from its declaration: {first.what.rstrip('.')}{more}.",
            Fix(f"oracle drift {report.stack} --repair", "to remove the differences"),
            Fix(f"oracle drift {report.stack}", "to see them"),
        )
    if report.unknown:
        raise CommandError(
            f"It is unknown whether {report.stack} differs from its declaration: {report.unknown[0].rstrip('.')}.",
            Fix(f"oracle drift {report.stack}", "to check again"),
        )
