"""Backups, changes and what they cost, in words."""

from __future__ import annotations

from clients.pocketbase import DataSummary, own_records
from settings import Settings
from storage.backups import Backup

STORAGE = {"kv": "KV namespace", "r2": "R2 bucket", "d1": "D1 database", "queue": "queue"}


def loss(app: str, found: DataSummary) -> str:
    """What an emptied backend loses."""
    named = counts(found.records)
    return (
        f"{app} holds {named or 'no records'}; {found.users} users, {found.files} files; "
        f"last write {found.last_write or 'never'}."
    )


def backup(found: Backup) -> str:
    """One backup in a line."""
    sealed = ", encrypted" if found.encrypted else ""
    return f"{found.id} ({found.own_records} records, {found.files} files, {size(found.size)}, verified{sealed})"


def not_in_backups(settings: Settings) -> str:
    """What holds data of the Workers, and is in no backup: a sentence; empty where there is nothing."""
    found = [f"{STORAGE[kind]} {name}" for kind, name in settings.storage]
    classes = {
        each for worker in settings.modules.values() for step in worker.migrations for each in step.new_sqlite_classes
    }
    found += [f"Durable Objects of {name}" for name in sorted(classes)]
    return f"Not in it, and kept by Cloudflare alone: {', '.join(found)}." if found else ""


def counts(records: dict[str, int]) -> str:
    """`3 humans, 12 posts`; PocketBase's own collections and empty ones left out."""
    return ", ".join(f"{count} {name}" for name, count in sorted(own_records(records).items()) if count)


def size(count: int) -> str:
    """Bytes as people read them."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
