"""Take a verified backup of a running PocketBase."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from clients import pocketbase
from errors import First, Fix, Remedy
from storage.backups.archive import inspect
from storage.backups.catalog import BackupCatalog
from storage.backups.errors import BackupsError, disk
from storage.backups.files import digest
from storage.backups.manifest import Backup, BackupOrigin

Counts = Mapping[str, int]
ATTEMPTS = 3
"""A backend in use may gain and lose a record between two counts, so a mismatch is tried again."""


def take(url: str, session: pocketbase.Login, catalog: BackupCatalog, about: BackupOrigin) -> Backup:
    """Create a backup on the backend, download it, compare its counts with the backend's, and store it.

    The backend's copy and the temporary files are deleted. Raises BackupsError, and pocketbase.BackupFailed or
    pocketbase.CountError when the backend fails.
    """
    with catalog.room() as room:
        archive = room / "backup.zip"
        for attempts_left in reversed(range(ATTEMPTS)):
            before = pocketbase.count_records(url, session)
            _download(url, session, archive)
            contents = inspect(archive, room)
            after = pocketbase.count_records(url, session)
            mismatch = _count_mismatches(before, contents.records, after)
            if not mismatch:
                return catalog.add(archive, about, contents)
            if not attempts_left:
                raise BackupsError(
                    f"The backup of {about.app} has other record counts than the backend itself ({mismatch}).",
                    First("wait until nothing is written to the backend", Remedy.RETRY),
                )
    raise AssertionError("an attempt returns or raises")


def _download(url: str, session: pocketbase.Login, archive: Path) -> None:
    name = f"oracle-{secrets.token_hex(8)}.zip"
    try:
        pocketbase.create_backup(url, session, name)
        sha256 = pocketbase.download_backup(url, session, name, archive)
    except OSError as error:
        raise disk(error, archive) from None
    finally:
        with suppress(pocketbase.BackupFailed):
            pocketbase.delete_backup(url, session, name)
    if digest(archive).sha256 != sha256:
        problem = f"What was read from the disk with {archive.parent} is not what was written to it."
        raise BackupsError(problem, Fix("dmesg", "to see the disk's errors"))


def _count_mismatches(before: Counts, backup: Counts, after: Counts) -> str:
    """Describe the collections whose count in the backup is not between those before and after it; empty for none."""
    names = sorted({*before, *backup, *after})
    counts = ((name, before.get(name, 0), backup.get(name, 0), after.get(name, 0)) for name in names)
    return ", ".join(
        f"{name}: {count}, not {' to '.join(map(str, sorted({first, last})))}"
        for name, first, count, last in counts
        if not min(first, last) <= count <= max(first, last)
    )
