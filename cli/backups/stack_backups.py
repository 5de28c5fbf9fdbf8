"""A stack's backups and audit log, and the backend as its admin sees it, for the commands."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from cli.engine.pulumi import Engine
from cli.ui.errors import CommandError
from clients.pocketbase import AdminError, CountError, DataSummary, Login, Unhealthy, login, summarize_data, version
from stack_outputs import Outputs
from storage.backups import UNDONE, AuditLog, BackupCatalog, BackupsError, Entry, Store, open_store
from storage.backups.loss import Logins, Loss, find_loss
from storage.releases.store import DeployedRelease, ReleaseStore, before


@dataclass(frozen=True)
class Backend:
    """The running backend, with a session of its admin; None where its disk is empty and knows no login of ours."""

    url: str
    session: Login | None
    outputs: Outputs

    def summary(self) -> DataSummary:
        """What it holds. Raises CommandError."""
        if self.session is None:
            return DataSummary(records={}, users=0, files=0, last_write=None)
        try:
            return summarize_data(self.url, self.session)
        except CountError as error:
            raise CommandError(str(error)) from None

    @property
    def pocketbase(self) -> str:
        """The version of PocketBase that it says it has; empty when it does not say."""
        try:
            return str(version(self.url).get("pocketbase") or "")
        except Unhealthy:
            return ""


class StackBackups:
    """Opens what is kept for the stack, where its configuration says. Looking makes nothing. Raises CommandError."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.settings = engine.stack.settings()

    @cached_property
    def store(self) -> Store:
        backup = self.settings.backup
        try:
            return open_store(backup.store, self.engine.stack.project, backup.endpoint, backup.region)
        except BackupsError as error:
            raise CommandError(str(error)) from None

    @cached_property
    def catalog(self) -> BackupCatalog:
        try:
            return BackupCatalog(self.store, self.engine.owner, self._key(), self._scratch)
        except BackupsError as error:
            raise CommandError(str(error)) from None

    @property
    def catalog_without_key(self) -> BackupCatalog:
        """The same without the key, which nothing but an archive needs: for looking."""
        return BackupCatalog(self.store, self.engine.owner, None, self._scratch)

    @property
    def audit_log(self) -> AuditLog:
        return AuditLog(self.store, self.engine.owner)

    @property
    def releases(self) -> ReleaseStore:
        return ReleaseStore(self.store, self.engine.owner)

    def backend(self) -> Backend:
        """The backend that runs, asked as its admin."""
        stack = self.engine.stack.name
        outputs, password = self.engine.login()
        try:
            session = login(outputs.backend_url, outputs.admin_email, password, seconds=5)
        except AdminError as error:
            raise CommandError(str(error)) from None
        if session is None:
            raise CommandError(f"The backend of {stack} refuses its admin's login; repair it: pulumi up -s {stack}")
        return Backend(outputs.backend_url, session, outputs)

    def loss(self, outputs: Outputs, logins: Logins, seconds: float) -> Loss | None:
        """What the backend that runs has lost with its disk. Raises AdminError, CountError, BackupsError."""
        restored = self.settings.restore_from
        stores = (self.audit_log, self.catalog_without_key)
        return find_loss(outputs.backend_url, logins, outputs.backend_app, *stores, restored, seconds)

    def changes(self) -> list[Change]:
        """What became of the backend's data, newest first."""
        try:
            return _changes(self.audit_log.entries())
        except BackupsError as error:
            raise CommandError(str(error)) from None

    def history(self) -> tuple[list[Change], list[str]]:
        """The changes, each with what undoes it today, and a sentence for whatever is kept here and left out.

        The store is asked once which backups there are and once which releases, however many changes there were.
        """
        try:
            entries, strange = self.audit_log.survey()
            backups, damaged = self.catalog_without_key.survey()
            whole, lost, foreign = self.releases.survey()
        except BackupsError as error:
            raise CommandError(str(error)) from None
        there, left = {backup.id for backup in backups}, {each.from_app_id for each in entries if each.kind != "kept"}
        undo = Undo(self.engine.stack.name, there, whole, lost, left)
        return [undo.of(change) for change in _changes(entries)], [*strange, *damaged, *foreign]

    def last_undone(self) -> str:
        """The backup that `--undo` goes back to."""
        for change in self.changes():
            if change.entry.kind in UNDONE:
                if change.backup:
                    return change.backup
                raise CommandError(
                    f"The {change.entry.kind} of {change.entry.at[:16]} has no backup yet; finish it: pulumi up -s "
                    f"{self.engine.stack.name}; or choose one: oracle backups {self.engine.stack.name}"
                )
        raise CommandError(f"Nothing was wiped that could be undone; see: oracle history {self.engine.stack.name}")

    @property
    def _scratch(self) -> Path:
        return self.engine.stack.private / "scratch" / str(self.engine.owner)

    def _key(self) -> str | None:
        if self.settings.backup_key is None:
            return None
        return self.engine.run_checked(
            "config", "get", "oracle-net:backupKey", "--stack", self.engine.stack.name
        ).strip()


@dataclass(frozen=True)
class Change:
    """A change, with the backup of what was there before."""

    entry: Entry
    backup: str | None
    records: dict[str, int]
    notes: list[str]
    undo: str | None = None
    """The command that undoes it."""
    gone: str = ""
    """Why there is no such command any more."""


@dataclass(frozen=True)
class Undo:
    """What there is to go back to: ids of backups, and releases, newest first."""

    stack: str
    backups: Set[str]
    releases: list[DeployedRelease]
    lost: list[DeployedRelease]
    """Releases some of whose bytes are gone."""
    left: Set[str | None]
    """Ids of the apps that another has taken over from; a backup of one is no change of its own."""

    def of(self, change: Change) -> Change:
        """The change and the command that undoes it: the release before with today's data, or the data before."""
        entry = change.entry
        if entry.kind == "kept" and entry.from_app_id in self.left:
            return change
        undo, gone = self._release(entry) if entry.kind == "release" else self._data(change.backup)
        return replace(change, undo=undo, gone=gone)

    def _data(self, backup: str | None) -> tuple[str | None, str]:
        if backup is None:
            return None, ""
        if backup in self.backups:
            return f"oracle restore {backup} {self.stack}", ""
        return None, "gone: the backup was cleared away or is damaged"

    def _release(self, entry: Entry) -> tuple[str | None, str]:
        both = sorted([*self.releases, *self.lost], key=lambda each: each.at, reverse=True)
        found = before(both, entry.at, entry.from_release)
        if found is None or found in self.lost:
            return None, "gone: the release before is not kept"
        return f"oracle rollback {self.stack} --to {found.id}", ""


def _changes(entries: list[Entry]) -> list[Change]:
    """A change each, without the backups that a change of its own speaks of."""
    kept = {entry.from_app_id: entry for entry in reversed(entries) if entry.kind == "kept"}
    return [_change(entry, kept) for entry in entries if entry.kind != "kept" or entry.notes or _last(entry, entries)]


def _change(entry: Entry, kept: dict[str | None, Entry]) -> Change:
    before = entry if entry.kind == "kept" else kept.get(entry.from_app_id) if entry.kind != "restart" else None
    return Change(
        entry,
        entry.backup or (before.backup if before else None),
        before.records if before else entry.records,
        [*entry.notes, *(before.notes if before and before is not entry else [])],
    )


def _last(entry: Entry, entries: list[Entry]) -> bool:
    """Whether an app was deleted without a successor: no change says that it began from it."""
    return not any(other.kind != "kept" and other.from_app_id == entry.from_app_id for other in entries)
