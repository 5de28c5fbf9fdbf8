"""The replica of an image with Litestream, which copies the database to a bucket and restores it on an empty disk.

Several apps of one backend run side by side, and PocketBase's restore replaces the database file. Litestream 0.3.13
handles neither. Two apps with the same replica path restore each other's data. After the file is replaced, Litestream
keeps the old file open, and the replica is old or malformed (docs/decisions/0026). So the program runs the image's
command inside its own script (replica.sh), which gives every app its own replica path and can restart Litestream.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clients.app_platform import AppPlatform, ConsoleError, variable
from errors import First, Remedy, UserError
from retry import backoff

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import ReplicaSettings

SCRIPT = Path(__file__).with_name("replica.sh")
SCRIPT_VARIABLE = "REPLICA_SCRIPT"
EVALUATE = f'eval "${SCRIPT_VARIABLE}"'
RUN_COMMAND = f"sh -c '{EVALUATE}' replica run"
"""One command and four words. It works in a shell, and where programs are started without one."""
RENEW_SECONDS = 120.0
PROOF_SECONDS = 300.0
ONE_PROOF_SECONDS = 600.0


def variables(replica: ReplicaSettings) -> dict[str, str]:
    """Return the script's variables and the script."""
    return {
        "REPLICA_COMMAND": replica.command,
        "REPLICA_CONFIG": replica.config,
        SCRIPT_VARIABLE: SCRIPT.read_text(),
    }


def is_replicated(app: Mapping[str, Any], service: str) -> bool:
    """Return whether the app runs its image inside the script."""
    return variable(dict(app["spec"]), service, SCRIPT_VARIABLE) is not None


def start_anew(platform: AppPlatform, app_id: str, service: str) -> None:
    """Restart Litestream after the database file was replaced. The app does not answer until Litestream runs again.

    Raises AppPlatformError, ConsoleError.
    """
    result = platform.run_command(app_id, service, _command("renew"), RENEW_SECONDS)
    if result.status != 0:
        raise ConsoleError("Litestream could not be restarted in the backend's container.", cause=result.output[-300:])


def verify(platform: AppPlatform, app_id: str, service: str, seconds: float = PROOF_SECONDS) -> None:
    """Restore the replica once beside the running database, and delete the copy.

    Raises UserError if this does not succeed in `seconds`; AppPlatformError, ConsoleError.
    """
    last = "nothing"
    for _ in backoff(seconds, first=1.0):
        result = platform.run_command(app_id, service, _command("prove"), ONE_PROOF_SECONDS)
        if result.status == 0:
            return
        last = (result.output.splitlines() or [last])[-1][-300:]
    name = platform.app(app_id)["spec"]["name"]
    raise UserError(
        f"The replica of {name} cannot be restored ({last}), so a new container would start without its data. Traffic "
        "was not switched.",
        First("correct oracle-net:backend.replica and the bucket's keys, see docs/how-to/litestream.md", Remedy.RETRY),
    )


def _command(word: str) -> list[str]:
    return ["sh", "-c", EVALUATE, "replica", word]
