"""The manifest of a backup: the JSON file beside its archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from clients.pocketbase import own_records
from storage.backups.json_codec import dump, load

Reason = Literal["wipe", "release", "restore", "restart", "delete", "manual"]


@dataclass(frozen=True, kw_only=True)
class BackupOrigin:
    """The origin of a backup: the app whose data it is, and the reason for taking it."""

    app: str
    app_id: str
    generation: int
    release: str
    pocketbase: str
    """PocketBase's version; empty when the backend does not report it."""
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class Backup(BackupOrigin):
    """A verified backup. Its manifest is written last, after the archive was read back."""

    owner: str
    """The full name of the stack that it belongs to (stack_outputs.Owner)."""
    id: str
    created: str
    """ISO 8601 in UTC, to the millisecond, ending in Z."""
    size: int
    """Bytes of the unencrypted archive."""
    sha256: str
    """SHA-256 of the unencrypted archive, in hex."""
    records: dict[str, int]
    """Record counts by collection, without views."""
    files: int
    file_bytes: int
    users: int
    last_write: str | None
    """ISO 8601 in UTC; None when there are no records with dates."""
    encrypted: bool
    content: dict[str, str] = field(default_factory=dict)
    """SHA-256 in hex over all records of each collection that is not PocketBase's own."""
    verified: Literal[True] = True

    @property
    def own_records(self) -> int:
        """The number of records, without PocketBase's own collections (`_…`)."""
        return sum(own_records(self.records).values())

    def to_json(self) -> str:
        return dump(self)

    @classmethod
    def from_json(cls, text: str, name: str) -> Backup:
        """Parse a manifest. Unknown keys are ignored. Raises BackupsError with the name of the file."""
        return load(cls, text, name)
