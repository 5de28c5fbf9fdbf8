"""Backups, changes and what they cost, in words."""

from __future__ import annotations

from backups import Backup
from pocketbase import Census, own_records


def loss(app: str, found: Census) -> str:
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
