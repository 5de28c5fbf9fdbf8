"""An image with Litestream, which copies its database to a bucket while it runs, and restores it on an empty disk.

Here several apps of one backend run side by side, and PocketBase's restore replaces the database's file. Litestream
0.3.13 does not survive either: two of them at one place restore each other's data, and one whose file is replaced keeps
the file of before open, and has a replica that is old or malformed (docs/decisions/0026). So the program runs the
image's command inside a script of its own (replica.sh), which gives every app a place of its own and can start
Litestream anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clients.app_platform import AppPlatform, ConsoleError, run_command, variable
from lifecycle.errors import UserError
from retry import backoff

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import ReplicaSettings

SCRIPT = Path(__file__).with_name("replica.sh")
SCRIPT_VARIABLE = "REPLICA_SCRIPT"
EVALUATE = f'eval "${SCRIPT_VARIABLE}"'
RUN_COMMAND = f"sh -c '{EVALUATE}' replica run"
"""One command and four words, for a shell and for what starts programs without one."""
RENEW_SECONDS = 120.0
PROOF_SECONDS = 300.0
ONE_PROOF_SECONDS = 600.0


def variables(replica: ReplicaSettings) -> dict[str, str]:
    """What the script needs to know, and the script."""
    return {
        "REPLICA_COMMAND": replica.command,
        "REPLICA_CONFIG": replica.config,
        SCRIPT_VARIABLE: SCRIPT.read_text(),
    }


def is_replicated(app: Mapping[str, Any], service: str) -> bool:
    """Whether the app runs its image inside the script."""
    return variable(dict(app["spec"]), service, SCRIPT_VARIABLE) is not None


def start_anew(platform: AppPlatform, app_id: str, service: str) -> None:
    """Have Litestream begin anew, once the database's file was replaced. The app answers nothing meanwhile.

    Raises AppPlatformError, ConsoleError.
    """
    url = platform.console_url(app_id, service)
    result = run_command(url, _command("renew"), RENEW_SECONDS)
    if result.status != 0:
        raise ConsoleError(f"Litestream could not be started anew in the backend's container: {result.output[-300:]}")


def verify(platform: AppPlatform, app_id: str, service: str, seconds: float = PROOF_SECONDS) -> None:
    """Restore the replica once, beside the database that runs, and throw the copy away.

    Raises Sentence when that does not succeed in `seconds`; AppPlatformError, ConsoleError.
    """
    said = "nothing"
    for _ in backoff(seconds, first=1.0):
        result = run_command(platform.console_url(app_id, service), _command("prove"), ONE_PROOF_SECONDS)
        if result.status == 0:
            return
        said = (result.output.splitlines() or [said])[-1][-300:]
    name = platform.app(app_id)["spec"]["name"]
    raise UserError(
        f"The replica of {name} cannot be restored ({said}), so a container in its place would start without its data; "
        "it gets no traffic. Put oracle-net:backend.replica and the bucket's keys right as docs/how-to/litestream.md "
        "shows; then: pulumi up"
    )


def _command(word: str) -> list[str]:
    return ["sh", "-c", EVALUATE, "replica", word]
