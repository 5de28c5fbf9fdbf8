"""A stack's releases in its store: the bytes it has deployed, and the receipts in the order in which they ran.

Objects `<label>/releases/<kind>/<digest>` and `<label>/releases/receipts/<time>-<4 hex>.json`, beside the backups of
the same label. Several stacks may share a store; none clears away what another needs.
"""

from __future__ import annotations

import secrets
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backups.errors import BackupsError, Missing
from backups.notation import dump, load
from backups.store import Store
from contract import Release
from releases.items import Item, ReleaseError, items, named, same_bytes, short

STAMP = "%Y%m%dT%H%M%S%fZ"
RECEIPTS = "receipts/"


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A receipt that a stack has run."""

    at: str
    """When it ran wholly for the first time: ISO 8601 in UTC, ending in Z."""
    who: str
    release: dict[str, Any]
    """A contract.Release."""
    packed: bool
    """Whether the image was packed from a directory, so that its bytes are kept here."""

    @property
    def receipt(self) -> Release:
        return named(self.release)

    @property
    def id(self) -> str:
        """When, as a word to name it by: `20260131-235959`."""
        return f"{datetime.fromisoformat(self.at):%Y%m%d-%H%M%S}"


class Keep:
    """Every method raises BackupsError for what the store does not do, and ReleaseError for bytes that are wrong."""

    def __init__(self, store: Store, label: str) -> None:
        self.store, self._folder = store, f"{label}/releases/"

    def lacks(self, wanted: list[Item]) -> list[Item]:
        """Which of them are not there. One question to the store, whatever their number."""
        there = set(self.store.names(self._folder))
        return [item for item in wanted if self._name(item) not in there]

    def put(self, item: Item, source: Path) -> None:
        """Keeps the bytes, and reads them back; what comes back wrong does not stay."""
        item.check(source)
        self.store.put(self._name(item), source)
        with tempfile.TemporaryDirectory() as folder:
            back = Path(folder) / "back"
            try:
                self.store.get(self._name(item), back)
                item.check(back)
            except (ReleaseError, Missing) as error:
                self.store.delete(self._name(item))
                raise ReleaseError(
                    f"{self.store.describe()} gives back other bytes than it was given: {error}"
                ) from None

    def get(self, item: Item, target: Path) -> None:
        """Makes the file `target`, checked; whole or not at all. Raises Missing when they are not kept."""
        fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            self.store.get(self._name(item), fresh)
            item.check(fresh)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)

    def ran(self) -> list[Ran]:
        """The receipts, newest first; damaged ones are left out."""
        found = []
        for name in sorted(self.store.names(self._folder + RECEIPTS), reverse=True):
            try:
                each = load(Ran, self.store.read_text(name) or "", name)
                items(each.receipt, packed=each.packed)
                found.append(each)
            except (BackupsError, LookupError, TypeError, AttributeError):
                continue
        return found

    def note(self, ran: Ran) -> None:
        """Writes a receipt down, unless the newest names the same bytes."""
        known = self.ran()
        if known and same_bytes(known[0].receipt, ran.receipt):
            return
        at = datetime.fromisoformat(ran.at).strftime(STAMP)
        self.store.write_text(f"{self._folder}{RECEIPTS}{at}-{secrets.token_hex(2)}.json", dump(ran))

    def prune(self, count: int, images: set[str]) -> list[str]:
        """Removes the bytes that none of the newest `count` receipts names, and those receipts; says which bytes.

        Images whose digest is in `images` stay: a backup may have to be restored into one.
        """
        receipts = sorted(self.store.names(self._folder + RECEIPTS), reverse=True)
        if len(receipts) <= count:
            return []
        needed = {self._name(item) for ran in self.ran()[:count] for item in items(ran.receipt, packed=True)}
        needed |= {f"{self._folder}image/{digest.removeprefix('sha256:')}" for digest in images}
        there = [name for name in self.store.names(self._folder) if not name.startswith(self._folder + RECEIPTS)]
        gone = [name for name in there if name not in needed]
        for name in [*gone, *receipts[count:]]:
            self.store.delete(name)
        return [short(name.rpartition("/")[2]) for name in gone]

    def _name(self, item: Item) -> str:
        return f"{self._folder}{item.name}"


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
