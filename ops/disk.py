"""The backend whose disk is empty although it held records, for the commands: what is lost, and what still works."""

from __future__ import annotations

from appplatform import AppPlatform, AppPlatformError
from backups import BackupsError
from backups.loss import Loss
from ops.custody import Backend, StackCustody
from ops.failures import Failure
from ops.status.declared import Undeclared, read
from pocketbase import AdminError, CountError

STATE_SECONDS, LOGIN_SECONDS = 60.0, 5.0


def find(custody: StackCustody) -> Loss | None:
    """The loss of the app that runs; None also where that cannot be seen. Raises Failure."""
    engine = custody.engine
    try:
        declared = read(engine, STATE_SECONDS)
        if declared.logins is None:
            return None
        found = custody.loss(declared.outputs, declared.logins, LOGIN_SECONDS)
    except Undeclared as error:
        raise Failure(f"{error}; {error.next or engine.stack.update}") from None
    except BackupsError as error:
        raise Failure(str(error)) from None
    except (AdminError, CountError):
        return None
    return found if found is not None and found.known.records else None


def refuse_backup(custody: StackCustody) -> None:
    """Raises Failure where a backup of the empty disk would become the newest good one."""
    loss, stack = find(custody), custody.engine.stack.name
    if loss is not None:
        raise Failure(
            f"{loss.summary}, so no backup of it was taken. To have the records back: {loss.way_back(stack)}; to go on "
            f"with the empty one on purpose: oracle wipe {stack}"
        )


def backend(custody: StackCustody) -> Backend:
    """The backend that runs; without a session where its app is gone, or its disk is empty and knows no login of ours.
    For a wipe and a restore, which leave it behind. Raises Failure.
    """
    try:
        return custody.backend()
    except Failure:
        if not _gone(custody) and find(custody) is None:
            raise
        outputs = custody.engine.outputs()
        return Backend(outputs.backend_url, None, outputs)


def _gone(custody: StackCustody) -> bool:
    """Whether the app was deleted behind the engine's back; False where that cannot be seen."""
    engine = custody.engine
    token = engine.environment.get("DIGITALOCEAN_TOKEN") or engine.environment.get("DIGITALOCEAN_ACCESS_TOKEN")
    try:
        with AppPlatform(engine.stack.digitalocean, token) as platform:
            return platform.known(engine.outputs().backend_app_id) is None
    except AppPlatformError:
        return False
