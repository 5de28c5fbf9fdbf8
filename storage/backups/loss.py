"""A backend whose data is gone: it runs on a disk that the program has not filled, and held records before.

App Platform's disks are ephemeral: a replaced container begins with an empty one, and says so nowhere. The program's
own superuser is on every disk that the program has filled, and not on a new one, where the image makes the admin alone.
Records that somebody deletes are no loss: the disk stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from clients.pocketbase import OPERATOR, SecondFactorWanted, count_records, login, own_records, superuser_since
from storage.backups.audit_log import AuditLog, Entry
from storage.backups.catalog import BackupCatalog
from storage.backups.manifest import Backup


@dataclass(frozen=True, kw_only=True)
class Known:
    """The newest that is known of what an app held."""

    records: Mapping[str, int]
    """By collection, without PocketBase's own; empty where nothing is known to have been there."""
    at: str
    """When it was seen: ISO 8601 in UTC."""
    backup: str | None
    """Which backup has them; None where none is kept."""

    @property
    def summary(self) -> str:
        return f"{_counted(self.records)} (as of {self.at[:16]}Z)"

    def way_back(self, stack: str) -> str:
        """The command that brings the records back; without a backup, the one that shows what there is."""
        return f"oracle restore {self.backup} {stack}" if self.backup else f"oracle backups {stack}"


@dataclass(frozen=True, kw_only=True)
class Loss:
    """An app on a disk that the program has not filled."""

    app: str
    since: str | None
    """When the disk began: ISO 8601 in UTC; None where that cannot be seen."""
    now: Mapping[str, int] | None
    """Records that are there now; None where nobody can log in to count them."""
    known: Known

    @property
    def summary(self) -> str:
        """One sentence for people, without its full stop."""
        since = f" since {self.since[:16]}Z" if self.since else ""
        holds = f"holds {_counted(self.now)}" if self.now is not None else "knows neither of the program's logins"
        held = f"; it held {_counted(self.known.records)} at {self.known.at[:16]}Z" if self.known.records else ""
        return f"{self.app} is empty{since}: its container was replaced, and the new disk {holds}{held}"

    def way_back(self, stack: str) -> str:
        """The command that brings the records back."""
        return self.known.way_back(stack)


@dataclass(frozen=True, kw_only=True)
class Logins:
    """What opens a backend that the program has filled."""

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
    """The loss of the app at `url`, if there is one; `restored` is the backup that its generation began with.

    None also of an app that the program has never filled: one made by hand. Raises AdminError and CountError where the
    backend does not tell, and BackupsError where the store does not.
    """
    if _logs_in(url, OPERATOR, logins.operator, seconds):
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
        return None  # the disk is the old one, and somebody has deleted the operator
    return Loss(app=app, since=since, now=_own(count_records(url, session)), known=known)


def last_known(
    app: str, generation: int, audit_log: AuditLog, catalog: BackupCatalog, restored: str | None
) -> Known | None:
    """What is known of an app of this generation that is gone; None of one that the program has never filled.

    Raises BackupsError.
    """
    entries = audit_log.entries()
    filled = next((each for each in entries if (each.to_app, each.to_generation) == (app, generation)), None)
    return known_of(filled, entries, catalog.list(), restored) if filled else None


def known_of(filled: Entry, entries: Sequence[Entry], backups: Sequence[Backup], restored: str | None) -> Known:
    """What an app held that began with `filled`. Both lists are newest first."""
    began = datetime.fromisoformat(filled.at)
    later = [each for each in backups if each.app == filled.to_app and datetime.fromisoformat(each.created) > began]
    if later and later[0].reason == "restart":  # it was emptied on purpose, right after that backup
        return Known(records={}, at=later[0].created, backup=None)
    if later:
        held = _own(later[0].records)
        return Known(records=held, at=later[0].created, backup=later[0].id if held else None)
    held = _own(filled.carried or {})
    return Known(records=held, at=filled.at, backup=_origin(filled, entries, backups, restored) if held else None)


def _origin(filled: Entry, entries: Sequence[Entry], backups: Sequence[Backup], restored: str | None) -> str | None:
    """The backup that has what the app began with: the one it was restored from, or of the app it was carried from."""
    if filled.kind in ("restore", "first"):  # the first app of a stack whose app was gone may be restored too
        wanted = restored
    else:
        wanted = next((e.backup for e in entries if e.kind == "kept" and e.from_app == filled.from_app), None)
    return wanted if wanted in {each.id for each in backups} else None


def _logs_in(url: str, email: str, password: str, seconds: float) -> bool:
    try:
        return login(url, email, password, timeout=seconds, seconds=0) is not None
    except SecondFactorWanted:  # the password was right
        return True


def _own(records: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in own_records(records).items() if count}


def _counted(records: Mapping[str, int]) -> str:
    named = ", ".join(f"{count} {name}" for name, count in sorted(records.items()))
    return f"{sum(records.values())} records ({named})" if named else "no records"
