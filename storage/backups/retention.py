"""Backups that no rule of retention deletes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from storage.backups.audit_log import Entry
from storage.backups.manifest import Backup


def protected(whole: Sequence[Backup], change: Entry | None) -> Iterator[str]:
    """Yield the ids of backups that are never deleted. `whole` are the undamaged backups, newest first.

    These are the newest; the newest with records; the last one before the number of records fell by more than half;
    the backup that the newest wipe, restart or restore, `change`, took; and the newest backup with records of the app
    before and of the app after that change. The newest backup of the app before is protected even without records.
    """
    full = [backup for backup in whole if backup.own_records]
    losses = [before for after, before in pairwise(whole) if 2 * after.own_records < before.own_records]
    yield from (backup.id for some in (whole, full, losses) for backup in some[:1])
    if change is None:
        return
    if change.backup:
        yield change.backup
    for app in (change.from_app_id, change.to_app_id):
        yield from [backup.id for backup in full if backup.app_id == app][:1]
    yield from [backup.id for backup in whole if backup.app_id == change.from_app_id][:1]


def newer(whole: Sequence[Backup], than: Backup) -> Sequence[Backup]:
    """Return the later backups with records, if `than` has records; otherwise the later ones without."""
    return [
        each
        for each in whole
        if (each.created, each.id) > (than.created, than.id) and bool(each.own_records) == bool(than.own_records)
    ]
