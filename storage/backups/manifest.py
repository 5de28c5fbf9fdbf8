"""What is known of one backup, and how it is written down beside its archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from clients.pocketbase import own_records
from storage.backups.json_codec import dump, load

Reason = Literal["wipe", "release", "restore", "restart", "delete", "manual"]


@dataclass(frozen=True, kw_only=True)
class BackupOrigin:
    """What the taker of a backup knows: which app's data it is, and why it is taken."""

    app: str
    app_id: str
    generation: int
    release: str
    pocketbase: str
    """Version; empty when the backend does not tell."""
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class Backup(BackupOrigin):
    """A backup that was read back and found whole: its manifest is written last, and only then."""

    owner: str
    """The stack it belongs to, by its whole name (contract.Owner)."""
    id: str
    created: str
    """ISO 8601 in UTC, to the millisecond, ending in Z."""
    size: int
    """Bytes of the plain archive."""
    sha256: str
    """Of the plain archive, in hex."""
    records: dict[str, int]
    """By collection, views left out."""
    files: int
    file_bytes: int
    users: int
    last_write: str | None
    """ISO 8601 in UTC; None when nobody has written anything."""
    encrypted: bool
    content: dict[str, str] = field(default_factory=dict)
    """SHA-256 over all records of each collection not PocketBase's own, in hex."""
    verified: Literal[True] = True

    @property
    def own_records(self) -> int:
        """How many records people have made: PocketBase's own collections, `_…`, do not count."""
        return sum(own_records(self.records).values())

    def to_json(self) -> str:
        return dump(self)

    @classmethod
    def from_json(cls, text: str, name: str) -> Backup:
        """The backup in a manifest; keys that are unknown are ignored. Raises BackupsError naming the file."""
        return load(cls, text, name)
