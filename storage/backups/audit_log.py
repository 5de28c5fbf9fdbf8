"""The audit log of a stack's backend: who changed its data, when, why, and the command that undoes it.

Each entry is an object of its own, and is never changed. So two machines that write at the same time do not overwrite
each other's entries.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Literal

from programs import OutOfTime, git
from stack_outputs import Owner
from storage.backups.errors import BackupsError, foreign
from storage.backups.json_codec import dump, load
from storage.backups.store import Store

Kind = Literal["first", "wipe", "release", "restore", "restart", "delete", "backed-up"]
"""`backed-up`: an old app was backed up before its deletion. The other kinds are the reasons for a new app."""
UNDONE: frozenset[Kind] = frozenset({"wipe", "restart", "restore"})
"""Changes that replace the data. `oracle wipe --undo` reverts the newest one."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One change of the backend's data."""

    at: str
    """ISO 8601 in UTC, ending in Z."""
    kind: Kind
    who: str
    from_generation: int | None
    from_release: str | None
    to_generation: int | None
    to_release: str | None
    records: dict[str, int]
    """Record counts of the old backend, by collection."""
    migrated: dict[str, int] | None
    """Record counts that the new backend started with; None when it started empty."""
    backup: str | None
    """Id of the old backend's backup."""
    owner: str = ""
    """The full name of the stack that the entry belongs to. `AuditLog.add` sets it."""
    from_app: str | None = None
    from_app_id: str | None = None
    to_app: str | None = None
    to_app_id: str | None = None
    last_write: str | None = None
    """The newest write in the copied data, ISO 8601 in UTC."""
    content: dict[str, str] = field(default_factory=dict)
    """SHA-256 over the copied records, by collection (storage.backups.archive)."""
    notes: list[str] = field(default_factory=list)


class AuditLog:
    """Objects `<organization>/<project>/<stack>/audit-log/<time>-<4 hex>.json`. Every method raises BackupsError."""

    def __init__(self, store: Store, owner: Owner) -> None:
        self.store, self.owner = store, owner

    def add(self, entry: Entry) -> None:
        """Write an entry. Raises ValueError when `at` is no time."""
        at = datetime.fromisoformat(entry.at).strftime("%Y%m%dT%H%M%S%fZ")
        self.store.write_text(
            f"{self._folder}{at}-{secrets.token_hex(2)}.json", dump(replace(entry, owner=str(self.owner)))
        )

    def entries(self, newest: int | None = None) -> list[Entry]:
        """Return the `newest` entries (all for None), newest first, without those that `survey` complains about."""
        return self.survey(newest)[0]

    def survey(self, newest: int | None = None) -> tuple[list[Entry], list[BackupsError]]:
        """Return the newest entries (all for None), newest first, and an error for each entry that is left out.

        Damaged entries and entries of another stack are left out.
        """
        complaints: list[BackupsError] = []
        entries = list(islice(self._read(complaints), newest))
        return entries, complaints

    def newest(self, kinds: Collection[Kind]) -> Entry | None:
        """Return the newest entry of these kinds."""
        return next((entry for entry in self._read([]) if entry.kind in kinds), None)

    def _read(self, complaints: list[BackupsError]) -> Iterator[Entry]:
        """Yield entries lazily, newest first. For each damaged or foreign entry an error is added to `complaints`."""
        for name in reversed(self.store.names(self._folder)):
            try:
                entry = load(Entry, self.store.read_text(name) or "", name)
                if entry.owner != str(self.owner):
                    raise foreign(name, entry.owner, self.owner)
            except BackupsError as error:
                complaints.append(error)
                continue
            yield entry

    @property
    def _folder(self) -> str:
        return f"{self.owner}/audit-log/"


def who() -> str:
    """Return the person who runs this program: the actor of a CI run, else git's e-mail address, else user@host."""
    return os.environ.get("GITHUB_ACTOR") or _email() or f"{_user()}@{socket.gethostname()}"


def _email() -> str:
    try:
        return git.git(Path.cwd(), "config", "user.email", seconds=5).text.strip()
    except (OSError, OutOfTime):
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
