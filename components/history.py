"""Entries of the ledger: what became of the backend's data, who did it, and how it is undone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from components.custody import Custody
from components.transfer import Source, tell

if TYPE_CHECKING:
    from backups import Backup, Entry
    from backups.ledger import Kind


def note_change(
    custody: Custody, kind: Kind, source: Source | None, target: Filled, carried: dict[str, int], backup: str | None
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
            carried=carried or None,
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
