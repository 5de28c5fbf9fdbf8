"""A stack's backups, releases and audit log, and its running backend with the admin's session, for the commands."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import advice
from cli.engine.pulumi import Engine
from cli.ui.errors import CommandError
from clients.pocketbase import DataSummary, Login, Unhealthy, login, summarize_data, version
from errors import Fix, UserError
from stack_outputs import Outputs
from storage.backups import UNDONE, AuditLog, BackupCatalog, Entry, Store, open_store
from storage.backups.loss import Logins, Loss, find_loss
from storage.releases.store import DeployedRelease, ReleaseStore, before


@dataclass(frozen=True)
class Backend:
    """The running backend with its admin's session, which is None if an empty disk rejects every login of ours."""

    url: str
    session: Login | None
    outputs: Outputs

    def summary(self) -> DataSummary:
        """Return the summary of its data. Raises CountError."""
        if self.session is None:
            return DataSummary(records={}, users=0, files=0, last_write=None)
        return summarize_data(self.url, self.session)

    @property
    def pocketbase(self) -> str:
        """The version of PocketBase that it reports; empty when it reports none."""
        try:
            return str(version(self.url).get("pocketbase") or "")
        except Unhealthy:
            return ""


class StackBackups:
    """Opens a stack's backup store as its configuration names it. Reading creates nothing. Raises BackupsError."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.settings = engine.stack.settings()

    @cached_property
    def store(self) -> Store:
        backup = self.settings.backup
        return open_store(backup.store, self.engine.stack.project, backup.endpoint, backup.region)

    @cached_property
    def catalog(self) -> BackupCatalog:
        return BackupCatalog(self.store, self.engine.owner, self._key(), self._scratch)

    @property
    def catalog_without_key(self) -> BackupCatalog:
        """The backup catalog without the key, which only archives need: for reading the list."""
        return BackupCatalog(self.store, self.engine.owner, None, self._scratch)

    @property
    def audit_log(self) -> AuditLog:
        return AuditLog(self.store, self.engine.owner)

    @property
    def releases(self) -> ReleaseStore:
        return ReleaseStore(self.store, self.engine.owner)

    def backend(self) -> Backend:
        """Log in to the running backend as its admin. Raises CommandError when it refuses the login, and AdminError."""
        outputs, password = self.engine.login()
        session = login(outputs.backend_url, outputs.admin_email, password, seconds=5)
        if session is None:
            stack = self.engine.stack
            raise CommandError(f"The backend of {stack.name} refuses its admin's login.", Fix(stack.update))
        return Backend(outputs.backend_url, session, outputs)

    def loss(self, outputs: Outputs, logins: Logins, seconds: float) -> Loss | None:
        """Return the data that the running backend has lost with its disk.

        Raises AdminError, CountError and BackupsError.
        """
        restored = self.settings.restore_from
        stores = (self.audit_log, self.catalog_without_key)
        return find_loss(outputs.backend_url, logins, outputs.backend_app, *stores, restored, seconds)

    def changes(self) -> list[Change]:
        """Return the changes of the backend's data, newest first. Raises BackupsError."""
        return _changes(self.audit_log.entries())

    def history(self) -> tuple[list[Change], list[str]]:
        """Return the changes with the commands that undo them today, and a sentence for each entry that is left out.

        The store lists its backups once and its releases once, however many changes there are.
        """
        entries, unreadable = self.audit_log.survey()
        backups, damaged = self.catalog_without_key.survey()
        complete, lost, foreign = self.releases.survey()
        backup_ids, replaced = (
            {backup.id for backup in backups},
            {each.from_app_id for each in entries if each.kind != "backed-up"},
        )
        undo = Undo(self.engine.stack.name, backup_ids, complete, lost, replaced)
        complaints: list[UserError] = [*unreadable, *damaged, *foreign]
        texts = [advice.text(each, self.engine.stack.name, "") for each in complaints]
        return [undo.of(change) for change in _changes(entries)], texts

    def last_undone(self) -> str:
        """Return the backup that `--undo` restores. Raises CommandError when there is none."""
        stack = self.engine.stack
        for change in self.changes():
            if change.entry.kind in UNDONE:
                if change.backup:
                    return change.backup
                raise CommandError(
                    f"The {change.entry.kind} of {change.entry.at[:16]} has no backup yet.",
                    Fix(stack.update, "to finish it"),
                    Fix(f"oracle backups {stack.name}", "to choose another backup"),
                )
        raise CommandError(
            "There is no wipe or restore to undo.", Fix(f"oracle history {stack.name}", "to see the changes")
        )

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
    """A change, with the backup of the data before it."""

    entry: Entry
    backup: str | None
    records: dict[str, int]
    notes: list[str]
    undo: str | None = None
    """The command that undoes it."""
    gone: str = ""
    """The reason why no such command exists any more."""

    @property
    def kind(self) -> str:
        """The kind as people see it: an app that was backed up was deleted."""
        return "delete" if self.entry.kind == "backed-up" else self.entry.kind


@dataclass(frozen=True)
class Undo:
    """Everything that a change can be undone with: ids of backups, and releases, newest first."""

    stack: str
    backups: Set[str]
    releases: list[DeployedRelease]
    lost: list[DeployedRelease]
    """Releases with missing bytes."""
    replaced: Set[str | None]
    """Ids of the apps that another app has replaced; a backup of one of them is no change of its own."""

    def of(self, change: Change) -> Change:
        """Return the change with its undo command: to the earlier release with today's data, or to the earlier data."""
        entry = change.entry
        if entry.kind == "backed-up" and entry.from_app_id in self.replaced:
            return change
        undo, gone = self._release(entry) if entry.kind == "release" else self._data(change.backup)
        return replace(change, undo=undo, gone=gone)

    def _data(self, backup: str | None) -> tuple[str | None, str]:
        if backup is None:
            return None, ""
        if backup in self.backups:
            return f"oracle restore {backup} {self.stack}", ""
        return None, "impossible: the backup was deleted or is damaged"

    def _release(self, entry: Entry) -> tuple[str | None, str]:
        all_releases = sorted([*self.releases, *self.lost], key=lambda each: each.at, reverse=True)
        earlier = before(all_releases, entry.at, entry.from_release)
        if earlier is None or earlier in self.lost:
            return None, "impossible: the earlier release is not stored"
        return f"oracle rollback {self.stack} --to {earlier.id}", ""


def _changes(entries: list[Entry]) -> list[Change]:
    """Return a change for each entry, except backups that belong to another change."""
    backups = {entry.from_app_id: entry for entry in reversed(entries) if entry.kind == "backed-up"}
    return [
        _change(entry, backups)
        for entry in entries
        if entry.kind != "backed-up" or entry.notes or _has_no_successor(entry, entries)
    ]


def _change(entry: Entry, backups: dict[str | None, Entry]) -> Change:
    before = entry if entry.kind == "backed-up" else backups.get(entry.from_app_id) if entry.kind != "restart" else None
    return Change(
        entry,
        entry.backup or (before.backup if before else None),
        before.records if before else entry.records,
        [*entry.notes, *(before.notes if before and before is not entry else [])],
    )


def _has_no_successor(entry: Entry, entries: list[Entry]) -> bool:
    """Return whether an app was deleted without a successor: no change names it as its origin."""
    return not any(other.kind != "backed-up" and other.from_app_id == entry.from_app_id for other in entries)
