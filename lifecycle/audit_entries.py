"""Entries of the audit log: each change of the backend's data, who made it, and the command that undoes it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import UserError
from lifecycle.backup_config import BackupConfig
from lifecycle.context import Source
from lifecycle.data_log import log
from lifecycle.errors import describe
from lifecycle.migration import Migrated

if TYPE_CHECKING:
    from storage.backups import Backup, Entry
    from storage.backups.audit_log import Kind

SHOWN = 5


def record_change(
    backup_config: BackupConfig,
    kind: Kind,
    source: Source | None,
    target: Filled,
    migrated: Migrated | None,
    backup: Backup | None,
) -> None:
    """Record that an app got its data. `backup` is the backup of the data before, if it was taken already."""
    from storage.backups import Entry, who

    _write(
        backup_config,
        Entry(
            at=_now(),
            kind=kind,
            who=who(),
            **_source_fields(source),
            to_app=target.app,
            to_app_id=target.app_id,
            to_generation=target.generation,
            to_release=target.release,
            records=backup.records if backup else {},
            migrated=migrated.records if migrated else None,
            last_write=migrated.last_write if migrated else None,
            content=migrated.content if migrated else {},
            backup=backup.id if backup else None,
        ),
    )


def record_backup(backup_config: BackupConfig, source: Source, backup: Backup | None, notes: list[str]) -> None:
    """Record that an app is deleted, and which backup has its data; None if no backup was requested."""
    from storage.backups import Entry, who

    _write(
        backup_config,
        Entry(
            at=_now(),
            kind="backed-up",
            who=who(),
            **_source_fields(source),
            to_generation=None,
            to_release=None,
            records=backup.records if backup else {},
            migrated=None,
            backup=backup.id if backup else None,
            notes=notes,
        ),
    )


def written_since(backup_config: BackupConfig, source: Source, backup: Backup) -> str | None:
    """Describe the records that were written to an app after its data was migrated; None if there are none.

    Compares the content of the backup with the migrated content, so a changed record counts even without a date.
    """
    try:
        entries = backup_config.audit_log().entries(newest=50)
    except UserError:
        return None
    release = next((each for each in entries if each.kind == "release" and each.from_app_id == source.app_id), None)
    if release is None or release.migrated is None:
        return None
    differ = sorted(
        name for name in release.content | backup.content if release.content.get(name) != backup.content.get(name)
    )
    return _describe_late_writes(backup_config, backup, release.last_write, differ) if differ else None


def _describe_late_writes(
    backup_config: BackupConfig, backup: Backup, moment: str | None, collections: list[str]
) -> str:
    from storage.backups import written_after

    try:
        with tempfile.TemporaryDirectory(dir=backup_config.scratch()) as folder:
            archive = Path(folder) / "backup.zip"
            backup_config.catalog().fetch(backup.id, archive)
            written = written_after(archive, Path(folder), moment, collections)
    except UserError:
        written = {name: [] for name in collections}
    return "; ".join(f"{name}: {_describe_ids(ids)}" for name, ids in written.items())


def _describe_ids(ids: list[str]) -> str:
    if not ids:
        return "records that were changed or deleted"
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return ", ".join(ids[:SHOWN]) + more


@dataclass(frozen=True)
class Filled:
    """The app that got its data."""

    app: str
    app_id: str
    generation: int
    release: str


def _source_fields(source: Source | None) -> dict[str, Any]:
    return {
        "from_app": source.name if source else None,
        "from_app_id": source.app_id if source else None,
        "from_generation": source.generation if source else None,
        "from_release": source.release if source else None,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _write(backup_config: BackupConfig, entry: Entry) -> None:
    """Add an entry. A failure is only logged, because the change itself is done."""
    try:
        backup_config.audit_log().add(entry)
    except UserError as error:
        log(describe(UserError("The audit log has no entry of this change.", cause=error), backup_config.owner.stack))
