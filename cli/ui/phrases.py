"""Backups, record counts and data losses as text."""

from __future__ import annotations

from clients.pocketbase import DataSummary, own_records
from settings import Settings
from storage.backups import Backup

STORAGE = {"kv": "KV namespace", "r2": "R2 bucket", "d1": "D1 database", "queue": "queue"}


def loss(app: str, summary: DataSummary) -> str:
    """Return the data that an emptied backend loses, as a sentence."""
    records = counts(summary.records)
    return (
        f"{app} holds {records or 'no records'}; {summary.users} users, {summary.files} files; "
        f"last write {summary.last_write or 'never'}."
    )


def backup(archive: Backup) -> str:
    """Return a backup as one line."""
    sealed = ", encrypted" if archive.encrypted else ""
    return (
        f"{archive.id} ({archive.own_records} records, {archive.files} files, {size(archive.size)}, verified{sealed})"
    )


def not_in_backups(settings: Settings) -> str:
    """Return a sentence that lists the storage of the Workers that no backup contains; empty when there is none."""
    storage = [f"{STORAGE[kind]} {name}" for kind, name in settings.storage]
    classes = {
        each for worker in settings.modules.values() for step in worker.migrations for each in step.new_sqlite_classes
    }
    storage += [f"Durable Objects of {name}" for name in sorted(classes)]
    return f"Not in it, and stored by Cloudflare only: {', '.join(storage)}." if storage else ""


def counts(records: dict[str, int]) -> str:
    """Return record counts such as `3 humans, 12 posts`, without PocketBase's own collections and empty ones."""
    return ", ".join(f"{count} {name}" for name, count in sorted(own_records(records).items()) if count)


def size(count: int) -> str:
    """Return a number of bytes as text, such as `1.5 MB`."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
