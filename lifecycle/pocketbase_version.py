"""The PocketBase version of a backend, and of a backup that it can restore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.pocketbase import Unhealthy, version
from errors import STACK, Fix, UserError

if TYPE_CHECKING:
    from storage.backups import Backup


def version_of(url: str) -> str:
    """Return the PocketBase version that a backend reports; empty if it reports none."""
    try:
        return str(version(url).get("pocketbase") or "")
    except Unhealthy:
        return ""


def refuse_other_version(backup: Backup, url: str) -> None:
    """Raises UserError if another minor version of PocketBase made the backup than the one that runs at `url`."""
    runs = version_of(url)
    if runs and backup.pocketbase and _minor_version(runs) != _minor_version(backup.pocketbase):
        raise UserError(
            f"PocketBase {backup.pocketbase} made the backup {backup.id}, but the release has PocketBase {runs}.",
            Fix(
                f"oracle rollback {STACK} --list",
                "to find the release that the backup is of, and deploy it",
                then=f"oracle restore {backup.id} {STACK}",
            ),
        )


def _minor_version(version: str) -> list[str]:
    return version.lstrip("v").split(".")[:2]
