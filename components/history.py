"""Entries of the ledger: what became of the backend's data, who did it, and how it is undone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from components.custody import Custody
from components.transfer import Carried, Source, tell

if TYPE_CHECKING:
    from backups import Backup, Entry
    from backups.ledger import Kind


def note_change(
    custody: Custody, kind: Kind, source: Source | None, target: Filled, carried: Carried | None, backup: str | None
) -> None:
    """An app has got its data."""
    from backups import Entry, who

    _write(
        custody,
        Entry(
            at=_now(),
            kind=kind,
            who=who(),
            **_from(source),
            to_app=target.app,
            to_generation=target.generation,
            to_release=target.release,
            records={},
            carried=carried.records if carried else None,
            last_write=carried.last_write if carried else None,
            backup=backup,
            undo=f"oracle restore {backup}" if backup else None,
        ),
    )


def note_kept(custody: Custody, source: Source, backup: Backup | None, notes: list[str]) -> None:
    """An app is about to be deleted, and this backup has its data; None when it was asked for without one."""
    from backups import Entry, who

    _write(
        custody,
        Entry(
            at=_now(),
            kind="kept",
            who=who(),
            **_from(source),
            to_generation=None,
            to_release=None,
            records=backup.records if backup else {},
            carried=None,
            backup=backup.id if backup else None,
            undo=f"oracle restore {backup.id}" if backup else None,
            notes=notes,
        ),
    )


def written_since(custody: Custody, source: Source, backup: Backup) -> str | None:
    """A sentence when the backup of an app holds more than what was carried from it; None otherwise.

    That is how writes would be found that came when a hold had ended before the api Worker was moved.
    """
    from backups import BackupsError

    try:
        entries = custody.ledger().entries(newest=50)
    except BackupsError:
        return None
    told = next((each for each in entries if each.kind == "release" and each.from_app == source.name), None)
    if told is None or told.carried is None:
        return None
    held = {name: count for name, count in backup.records.items() if not name.startswith("_")}
    if (held, backup.last_write) == (told.carried, told.last_write):
        return None
    return f"{source.name} was written to after its data was carried; what is missing in the new one is in {backup.id}"


@dataclass(frozen=True)
class Filled:
    """The app that has got its data."""

    app: str
    generation: int
    release: str


def _from(source: Source | None) -> dict[str, Any]:
    return {
        "from_app": source.name if source else None,
        "from_generation": source.generation if source else None,
        "from_release": source.release if source else None,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _write(custody: Custody, entry: Entry) -> None:
    """What cannot be written down is said: the change itself is done."""
    from backups import BackupsError

    try:
        custody.ledger().add(entry)
    except BackupsError as error:
        tell(f"the ledger has no entry of this: {error}")
