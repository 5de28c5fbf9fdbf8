"""Who changed a stack's backend, when and why, and what undoes it: one object for each entry, never changed.

Two machines that write at the same time write two objects; so neither loses the other's entry.
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

Kind = Literal["first", "wipe", "release", "restore", "restart", "delete", "kept"]
"""`kept`: an old app was backed up before it was deleted; the others say why a new one began."""
UNDONE: frozenset[Kind] = frozenset({"wipe", "restart", "restore"})
"""Changes after which the data is not what it was: `oracle wipe --undo` takes back the newest."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    at: str
    """ISO 8601 in UTC, ending in Z."""
    kind: Kind
    who: str
    from_generation: int | None
    from_release: str | None
    to_generation: int | None
    to_release: str | None
    records: dict[str, int]
    """What the old backend held, by collection."""
    carried: dict[str, int] | None
    """What the new one started with; None when it started empty."""
    backup: str | None
    """Id of the backup of the old one."""
    undo: str | None
    """The command that brings back what was before: of a wipe or a restore its data, of a release the one before."""
    owner: str = ""
    """The stack it belongs to, by its whole name; the audit log writes it."""
    from_app: str | None = None
    from_app_id: str | None = None
    to_app: str | None = None
    to_app_id: str | None = None
    last_write: str | None = None
    """The newest write among what was carried, ISO 8601 in UTC."""
    content: dict[str, str] = field(default_factory=dict)
    """SHA-256 over what was carried, by collection (backups.archive)."""
    notes: list[str] = field(default_factory=list)


class AuditLog:
    """Objects `<organization>/<project>/<stack>/audit-log/<time>-<4 hex>.json`. Every method raises BackupsError."""

    def __init__(self, store: Store, owner: Owner) -> None:
        self.store, self.owner = store, owner

    def add(self, entry: Entry) -> None:
        """Raises ValueError when `at` is no time."""
        at = datetime.fromisoformat(entry.at).strftime("%Y%m%dT%H%M%S%fZ")
        self.store.write_text(
            f"{self._folder}{at}-{secrets.token_hex(2)}.json", dump(replace(entry, owner=str(self.owner)))
        )

    def entries(self, newest: int | None = None) -> list[Entry]:
        """Newest first, all or so many. Entries that are damaged, or another stack's, are left out: `survey` tells."""
        return self.survey(newest)[0]

    def survey(self, newest: int | None = None) -> tuple[list[Entry], list[str]]:
        """The newest entries (all for None), newest first, and a sentence for each that was left out."""
        complaints: list[str] = []
        found = list(islice(self._read(complaints), newest))
        return found, complaints

    def newest(self, kinds: Collection[Kind]) -> Entry | None:
        """The newest entry of these kinds."""
        return next((entry for entry in self._read([]) if entry.kind in kinds), None)

    def _read(self, complaints: list[str]) -> Iterator[Entry]:
        """Newest first, as they are asked for; adds a sentence for each that is damaged or another stack's."""
        for name in reversed(self.store.names(self._folder)):
            try:
                entry = load(Entry, self.store.read_text(name) or "", name)
                if entry.owner != str(self.owner):
                    raise foreign(name, entry.owner, self.owner)
            except BackupsError as error:
                complaints.append(str(error))
                continue
            yield entry

    @property
    def _folder(self) -> str:
        return f"{self.owner}/audit-log/"


def who() -> str:
    """Who is changing something: the person behind a CI run, else git's e-mail address, else user@host."""
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
