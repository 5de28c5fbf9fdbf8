"""A stack's backups and ledger, and the backend as its admin sees it, for the commands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

from backups import BackupsError, Entry, Ledger, Shelf, Store, open_store
from contract import Outputs
from ops.engine import Engine
from ops.failures import Failure
from pocketbase import AdminError, Census, CountError, Login, Unhealthy, census, login, version

UNDONE = frozenset({"wipe", "restart", "restore"})
"""Changes after which the data is not what it was."""


@dataclass(frozen=True)
class Backend:
    """The running backend, with a session of its admin; None where its disk is empty and knows no login of ours."""

    url: str
    session: Login | None
    outputs: Outputs

    def census(self) -> Census:
        """What it holds. Raises Failure."""
        if self.session is None:
            return Census(records={}, users=0, files=0, last_write=None)
        try:
            return census(self.url, self.session)
        except CountError as error:
            raise Failure(str(error)) from None

    @property
    def pocketbase(self) -> str:
        """The version of PocketBase that it says it has; empty when it does not say."""
        try:
            return str(version(self.url).get("pocketbase") or "")
        except Unhealthy:
            return ""


class StackCustody:
    """Opens what the stack's configuration names. Everything raises Failure."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.settings = engine.stack.settings()

    @cached_property
    def store(self) -> Store:
        backup = self.settings.backup
        try:
            return open_store(backup.store, self.engine.stack.project, backup.endpoint, backup.region)
        except BackupsError as error:
            raise Failure(str(error)) from None

    @cached_property
    def shelf(self) -> Shelf:
        scratch = self.engine.stack.private / "scratch"
        self.engine.stack.make_private(scratch)
        try:
            return Shelf(self.store, self.settings.backend.app_name, self._key(), scratch)
        except BackupsError as error:
            raise Failure(str(error)) from None

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.store, self.settings.backend.app_name)

    def backend(self) -> Backend:
        """The backend that runs, asked as its admin."""
        stack = self.engine.stack.name
        outputs = self.engine.outputs()
        shown = self.engine.must("stack", "output", "adminPassword", "--show-secrets", "--json", "--stack", stack)
        try:
            session = login(outputs.backend_url, outputs.admin_email, json.loads(shown), seconds=5)
        except AdminError as error:
            raise Failure(str(error)) from None
        if session is None:
            raise Failure(f"The backend of {stack} refuses its admin's login; repair it: pulumi up -s {stack}")
        return Backend(outputs.backend_url, session, outputs)

    def changes(self) -> list[Change]:
        """What became of the backend's data, newest first."""
        try:
            entries = self.ledger.entries()
        except BackupsError as error:
            raise Failure(str(error)) from None
        kept = {entry.from_app: entry for entry in reversed(entries) if entry.kind == "kept"}
        return [
            _change(entry, kept) for entry in entries if entry.kind != "kept" or entry.notes or _last(entry, entries)
        ]

    def last_undone(self) -> str:
        """The backup that `--undo` goes back to."""
        for change in self.changes():
            if change.entry.kind in UNDONE:
                if change.backup:
                    return change.backup
                raise Failure(
                    f"The {change.entry.kind} of {change.entry.at[:16]} has no backup yet; finish it: pulumi up -s "
                    f"{self.engine.stack.name}; or choose one: oracle backups {self.engine.stack.name}"
                )
        raise Failure(f"Nothing was wiped that could be undone; see: oracle history {self.engine.stack.name}")

    def _key(self) -> str | None:
        if self.settings.backup_key is None:
            return None
        return self.engine.must("config", "get", "oracle-net:backupKey", "--stack", self.engine.stack.name).strip()


@dataclass(frozen=True)
class Change:
    """A change, with the backup of what was there before."""

    entry: Entry
    backup: str | None
    records: dict[str, int]
    notes: list[str]


def _change(entry: Entry, kept: dict[str | None, Entry]) -> Change:
    before = entry if entry.kind == "kept" else kept.get(entry.from_app) if entry.kind != "restart" else None
    return Change(
        entry,
        entry.backup or (before.backup if before else None),
        before.records if before else entry.records,
        [*entry.notes, *(before.notes if before and before is not entry else [])],
    )


def _last(entry: Entry, entries: list[Entry]) -> bool:
    """Whether an app was deleted without a successor: no change says that it began from it."""
    return not any(other.kind != "kept" and other.from_app == entry.from_app for other in entries)
