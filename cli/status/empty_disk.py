"""Detect a backend whose disk is empty although it held records, for the commands that change its data."""

from __future__ import annotations

from cli.backups.stack_backups import Backend, StackBackups
from cli.status.declared import Undeclared, read
from cli.ui.errors import CommandError
from clients.app_platform import AppPlatform, AppPlatformError
from clients.pocketbase import AdminError, CountError
from errors import Fix, UserError
from storage.backups.loss import Loss

STATE_SECONDS, LOGIN_SECONDS = 60.0, 5.0


def find(stack_backups: StackBackups) -> Loss | None:
    """Return the loss of the running app. None also if it cannot be determined. Raises CommandError."""
    engine = stack_backups.engine
    try:
        declared = read(engine, STATE_SECONDS)
        if declared.logins is None:
            return None
        loss = stack_backups.loss(declared.outputs, declared.logins, LOGIN_SECONDS)
    except Undeclared as error:
        raise error if error.helps else CommandError(error.problem, Fix(engine.stack.update, "to deploy it")) from None
    except (AdminError, CountError):
        return None
    return loss if loss is not None and loss.known.records else None


def refuse_backup(stack_backups: StackBackups) -> None:
    """Refuse a backup of an empty disk, which would become the newest good one. Raises CommandError."""
    loss, stack = find(stack_backups), stack_backups.engine.stack.name
    if loss is not None:
        raise CommandError(
            f"{loss.summary}, so no backup of it was taken.",
            loss.known.recovery,
            Fix(f"oracle wipe {stack}", "to go on with an empty backend"),
        )


def backend(stack_backups: StackBackups) -> Backend:
    """Return the running backend, for a wipe or a restore, which replace it. Raises CommandError.

    It has no session if its app is deleted, or if its disk is empty and has no login of ours.
    """
    try:
        return stack_backups.backend()
    except UserError:
        if not _gone(stack_backups) and find(stack_backups) is None:
            raise
        outputs = stack_backups.engine.outputs()
        return Backend(outputs.backend_url, None, outputs)


def _gone(stack_backups: StackBackups) -> bool:
    """Return whether the app was deleted outside Pulumi. False if that cannot be determined."""
    engine = stack_backups.engine
    token = engine.environment.get("DIGITALOCEAN_TOKEN") or engine.environment.get("DIGITALOCEAN_ACCESS_TOKEN")
    try:
        with AppPlatform(engine.stack.digitalocean, token) as platform:
            return platform.known(engine.outputs().backend_app_id) is None
    except AppPlatformError:
        return False
