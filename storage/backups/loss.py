"""Detect a backend that lost its data: it runs on a new disk, and had records before.

App Platform's disks are ephemeral: a replaced container starts with an empty disk, and the API does not show it. The
program creates its operator on each disk that it fills. On a new disk there is only the admin, which the image creates.
Records that somebody deleted are no loss in this sense, because the disk is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from clients.pocketbase import OPERATOR, SecondFactorWanted, count_records, login, own_records, superuser_since
from errors import Help, Remedy, RestoreBackup
from storage.backups.audit_log import AuditLog, Entry
from storage.backups.catalog import BackupCatalog
from storage.backups.manifest import Backup


@dataclass(frozen=True, kw_only=True)
class Known:
    """The newest known contents of an app."""

    records: Mapping[str, int]
    """Record counts by collection, without PocketBase's own; empty when no records are known."""
    at: str
    """The time of the counts: ISO 8601 in UTC."""
    backup: str | None
    """Id of the backup that has these records; None if there is no such backup."""

    @property
    def summary(self) -> str:
        return f"{_counted(self.records)} (as of {self.at[:16]}Z)"

    @property
    def recovery(self) -> Help:
        """What restores the records; without a backup of them, the list of the backups."""
        return RestoreBackup(self.backup) if self.backup else Remedy.LIST_BACKUPS


@dataclass(frozen=True, kw_only=True)
class Loss:
    """An app on a new disk, which the program has not filled."""

    app: str
    since: str | None
    """When the disk was created: ISO 8601 in UTC; None if unknown."""
    now: Mapping[str, int] | None
    """Current record counts; None if neither login works, so that they cannot be counted."""
    known: Known

    @property
    def summary(self) -> str:
        """One sentence without its full stop."""
        since = f" since {self.since[:16]}Z" if self.since else ""
        holds = f"has {_counted(self.now)}" if self.now is not None else "has neither of the program's logins"
        held = f"; it had {_counted(self.known.records)} at {self.known.at[:16]}Z" if self.known.records else ""
        return f"{self.app} is empty{since}: its container was replaced, and the new disk {holds}{held}"


@dataclass(frozen=True, kw_only=True)
class Logins:
    """The logins of a backend that the program has filled."""

    email: str
    password: str = field(repr=False)
    operator: str = field(repr=False)


def find_loss(
    url: str,
    logins: Logins,
    app: str,
    audit_log: AuditLog,
    catalog: BackupCatalog,
    restored: str | None,
    seconds: float = 5.0,
) -> Loss | None:
    """Return the loss of the app at `url`, or None. `restored` is the backup that its generation started with.

    The result is also None for an app that the program never filled, such as one made by hand. Raises AdminError and
    CountError when a request to the backend fails, and BackupsError when the store fails.
    """
    if _can_log_in(url, OPERATOR, logins.operator, seconds):
        return None
    entries = audit_log.entries()
    filled = next((each for each in entries if each.to_app == app), None)
    if filled is None:
        return None
    known = known_of(filled, entries, catalog.list(), restored)
    session = login(url, logins.email, logins.password, timeout=seconds, seconds=0)
    if session is None:
        return Loss(app=app, since=None, now=None, known=known)
    since = superuser_since(url, session, logins.email)
    if since is not None and datetime.fromisoformat(since) <= datetime.fromisoformat(filled.at):
        return None  # the disk is the old one: somebody deleted the operator
    return Loss(app=app, since=since, now=_own(count_records(url, session)), known=known)


def last_known(
    app: str, generation: int, audit_log: AuditLog, catalog: BackupCatalog, restored: str | None
) -> Known | None:
    """Return the known contents of a deleted app of this generation; None if the program never filled it.

    Raises BackupsError.
    """
    entries = audit_log.entries()
    filled = next((each for each in entries if (each.to_app, each.to_generation) == (app, generation)), None)
    return known_of(filled, entries, catalog.list(), restored) if filled else None


def known_of(filled: Entry, entries: Sequence[Entry], backups: Sequence[Backup], restored: str | None) -> Known:
    """Return the newest known contents of the app that started with the entry `filled`. Both lists are newest first."""
    began = datetime.fromisoformat(filled.at)
    later = [each for each in backups if each.app == filled.to_app and datetime.fromisoformat(each.created) > began]
    if later and later[0].reason == "restart":  # it was emptied on purpose, right after that backup
        return Known(records={}, at=later[0].created, backup=None)
    if later:
        held = _own(later[0].records)
        return Known(records=held, at=later[0].created, backup=later[0].id if held else None)
    held = _own(filled.migrated or {})
    return Known(records=held, at=filled.at, backup=_origin(filled, entries, backups, restored) if held else None)


def _origin(filled: Entry, entries: Sequence[Entry], backups: Sequence[Backup], restored: str | None) -> str | None:
    """Return the backup with the app's first data: the restored one, or that of the app the data was copied from."""
    if filled.kind in ("restore", "first"):  # "first" too: a stack whose app was lost may restore its first app
        backup = restored
    else:
        backup = next((e.backup for e in entries if e.kind == "backed-up" and e.from_app == filled.from_app), None)
    return backup if backup in {each.id for each in backups} else None


def _can_log_in(url: str, email: str, password: str, seconds: float) -> bool:
    try:
        return login(url, email, password, timeout=seconds, seconds=0) is not None
    except SecondFactorWanted:  # the password was right
        return True


def _own(records: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in own_records(records).items() if count}


def _counted(records: Mapping[str, int]) -> str:
    named = ", ".join(f"{count} {name}" for name, count in sorted(records.items()))
    return f"{sum(records.values())} records ({named})" if named else "no records"
