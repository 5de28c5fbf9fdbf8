"""Who changed a stack's backend, when and why, and what undoes it: one object for each entry, never changed.

Two machines that write at the same time write two objects; so neither loses the other's entry.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import subprocess
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from backups.errors import BackupsError
from backups.notation import dump, load
from backups.store import Store

Kind = Literal["first", "wipe", "release", "restore", "restart", "delete", "kept"]
"""`kept`: an old app was backed up before it was deleted; the others say why a new one began."""


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
    """The command that brings the old state back."""
    from_app: str | None = None
    to_app: str | None = None
    last_write: str | None = None
    """The newest write among what was carried, ISO 8601 in UTC."""
    content: dict[str, str] = field(default_factory=dict)
    """SHA-256 over what was carried, by collection (backups.archive)."""
    notes: list[str] = field(default_factory=list)


class Ledger:
    """Objects `<stack>/ledger/<time>-<4 hex>.json`. Every method raises BackupsError."""

    def __init__(self, store: Store, stack: str) -> None:
        self.store, self.stack = store, stack

    def add(self, entry: Entry) -> None:
        """Raises ValueError when `at` is no time."""
        at = datetime.fromisoformat(entry.at).strftime("%Y%m%dT%H%M%S%fZ")
        self.store.write_text(f"{self._folder}{at}-{secrets.token_hex(2)}.json", dump(entry))

    def entries(self, newest: int | None = None) -> list[Entry]:
        """Newest first, all or so many. Entries that are damaged are left out: `survey` tells them."""
        return self.survey(newest)[0]

    def survey(self, newest: int | None = None) -> tuple[list[Entry], list[str]]:
        """The newest entries (all for None), newest first, and a sentence for each of them that is damaged."""
        found: list[Entry] = []
        complaints: list[str] = []
        for name in self.store.names(self._folder)[::-1][:newest]:
            try:
                found.append(load(Entry, self.store.read_text(name) or "", name))
            except BackupsError as error:
                complaints.append(str(error))
        return found, complaints

    @property
    def _folder(self) -> str:
        return f"{self.stack}/ledger/"


def who() -> str:
    """Who is changing something: the person behind a CI run, else git's e-mail address, else user@host."""
    return os.environ.get("GITHUB_ACTOR") or _email() or f"{_user()}@{socket.gethostname()}"


def _email() -> str:
    try:
        answer = subprocess.run(["git", "config", "user.email"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
