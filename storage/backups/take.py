"""The whole verified backup of a running PocketBase."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from clients import pocketbase
from storage.backups.archive import inspect
from storage.backups.catalog import BackupCatalog
from storage.backups.errors import BackupsError, disk
from storage.backups.files import digest
from storage.backups.manifest import Backup, BackupOrigin

Counts = Mapping[str, int]
ATTEMPTS = 3
"""A backend that is written to may gain and lose a record while it is counted; so may a second look differ."""


def take(url: str, session: pocketbase.Login, catalog: BackupCatalog, about: BackupOrigin) -> Backup:
    """Makes a backup on the backend, fetches it, opens it, compares its counts with the backend's own, and keeps it.

    Nothing stays on the backend or in the scratch folder. Raises BackupsError, and pocketbase.BackupFailed or
    pocketbase.CountError for what the backend does not do.
    """
    with catalog.room() as room:
        archive = room / "backup.zip"
        for left in reversed(range(ATTEMPTS)):
            before = pocketbase.count_records(url, session)
            _download(url, session, archive)
            contents = inspect(archive, room)
            after = pocketbase.count_records(url, session)
            strange = _strange(before, contents.records, after)
            if not strange:
                return catalog.keep(archive, about, contents)
            if not left:
                raise BackupsError(
                    f"The backup of {about.app} does not hold what {about.app} says it has ({strange}); "
                    "when it is written to right now, try again in a minute."
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
        raise BackupsError(f"The disk that holds {archive.parent} gives back other bytes than it was given; see: dmesg")


def _strange(before: Counts, backup: Counts, after: Counts) -> str:
    """Which collections have a number of records in the backup that they never had; empty when it may be right."""
    names = sorted({*before, *backup, *after})
    counts = ((name, before.get(name, 0), backup.get(name, 0), after.get(name, 0)) for name in names)
    return ", ".join(
        f"{name}: {kept}, not {' to '.join(map(str, sorted({first, last})))}"
        for name, first, kept, last in counts
        if not min(first, last) <= kept <= max(first, last)
    )
