"""The release archive in a stack's store: the bytes that the stack deployed, and their receipts by time.

Objects are `<owner>/releases/<kind>/<digest>` and `<owner>/releases/receipts/<time>-<4 hex>.json`. The owner is
`<organization>/<project>/<stack>`, as for backups. A receipt also names its owner. A receipt of another stack (for
example one that was copied by hand) is left out and never deleted.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from errors import Remedy, SetKey
from stack_outputs import Owner, Release, short_digest
from storage.backups.errors import BackupsError, Foreign, Missing, foreign
from storage.backups.json_codec import dump, load
from storage.backups.store import Store
from storage.releases.items import Item, ReleaseError, items, named, same_bytes

STAMP = "%Y%m%dT%H%M%S%fZ"
RECEIPTS = "receipts/"


@dataclass(frozen=True, kw_only=True)
class DeployedRelease:
    """A receipt of a release that a stack deployed."""

    at: str
    """When the release was completely deployed for the first time: ISO 8601 in UTC, ending in Z."""
    who: str
    release: dict[str, Any]
    """A stack_outputs.Release."""
    packed: bool
    """True if the image was packed from a directory. Then its bytes are in this store."""
    app: str
    """The name of the app that ran it."""
    app_id: str
    owner: str = ""
    """The full name of the stack that ran it. `ReleaseStore.note` sets it."""

    @property
    def receipt(self) -> Release:
        return named(self.release)

    @property
    def id(self) -> str:
        """The time as an id: `20260131-235959`."""
        return f"{datetime.fromisoformat(self.at):%Y%m%d-%H%M%S}"


class ReleaseStore:
    """A stack's release archive. Its methods raise BackupsError when the store fails, ReleaseError for wrong bytes."""

    def __init__(self, store: Store, owner: Owner) -> None:
        self.store, self.owner, self._folder = store, owner, f"{owner}/releases/"

    def lacks(self, wanted: list[Item]) -> list[Item]:
        """Return the items that are not in the store, with one list request."""
        there = set(self.store.names(self._folder))
        return [item for item in wanted if self._name(item) not in there]

    def put(self, item: Item, source: Path) -> None:
        """Store the bytes and read them back. If they differ, delete them and raise ReleaseError."""
        item.check(source)
        self.store.put(self._name(item), source)
        with tempfile.TemporaryDirectory() as folder:
            back = Path(folder) / "back"
            try:
                self.store.get(self._name(item), back)
                item.check(back)
            except (ReleaseError, Missing) as error:
                self.store.delete(self._name(item))
                problem = f"What was read from {self.store.describe()} is not what was written to it."
                raise ReleaseError(problem, SetKey("oracle-net:backup.store", "LOCATION"), cause=error) from None

    def get(self, item: Item, target: Path) -> None:
        """Download the item to `target`, verified and atomically. Raises Missing when it is not in the store."""
        fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            self.store.get(self._name(item), fresh)
            item.check(fresh)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)

    def ran(self) -> list[DeployedRelease]:
        """Return the receipts, newest first, without damaged ones and those of another stack."""
        return [
            each
            for _, each in self._receipts(self.store.names(self._folder + RECEIPTS))
            if isinstance(each, DeployedRelease)
        ]

    def survey(self) -> tuple[list[DeployedRelease], list[DeployedRelease], list[Foreign]]:
        """Return the receipts whose bytes are all in the store, those with missing bytes, and an error for each
        receipt of another stack. Both lists are newest first, and need one list request.
        """
        names = self.store.names(self._folder)
        receipts = [each for _, each in self._receipts(names)]
        ran, stored = [each for each in receipts if isinstance(each, DeployedRelease)], set(names)
        whole = [each for each in ran if self._whole(each, stored)]
        lost = [each for each in ran if not self._whole(each, stored)]
        return whole, lost, [each for each in receipts if isinstance(each, Foreign)]

    def note(self, ran: DeployedRelease) -> None:
        """Store a receipt, unless the newest one names the same bytes."""
        known = self.ran()
        if known and same_bytes(known[0].receipt, ran.receipt):
            return
        at = datetime.fromisoformat(ran.at).strftime(STAMP)
        name = f"{self._folder}{RECEIPTS}{at}-{secrets.token_hex(2)}.json"
        self.store.write_text(name, dump(replace(ran, owner=str(self.owner))))

    def prune(self, count: int, images: set[str]) -> list[str]:
        """Delete all but the newest `count` receipts, and the bytes that these do not name. Returns short digests.

        Images whose digest is in `images` are retained: restoring a backup may need them.
        """
        names = self.store.names(self._folder)
        receipts = [(name, each) for name, each in self._receipts(names) if not isinstance(each, Foreign)]
        if len(receipts) <= count:
            return []
        newest = [each for _, each in receipts if isinstance(each, DeployedRelease)][:count]
        needed = {self._name(item) for ran in newest for item in items(ran.receipt, packed=True)}
        needed |= {f"{self._folder}image/{digest.removeprefix('sha256:')}" for digest in images}
        there = [name for name in names if not name.startswith(self._folder + RECEIPTS)]
        gone = [name for name in there if name not in needed]
        for name in [*gone, *(name for name, _ in receipts[count:])]:
            self.store.delete(name)
        return [short_digest(name.rpartition("/")[2]) for name in gone]

    def _receipts(self, names: list[str]) -> list[tuple[str, DeployedRelease | BackupsError]]:
        """Read the receipts among these objects, newest first: each receipt, or the error of a bad one."""
        receipts = [name for name in names if name.startswith(self._folder + RECEIPTS)]
        return [(name, self._receipt(name)) for name in sorted(receipts, reverse=True)]

    def _receipt(self, name: str) -> DeployedRelease | BackupsError:
        try:
            ran = load(DeployedRelease, self.store.read_text(name) or "", name)
            items(ran.receipt, packed=ran.packed)
        except BackupsError as error:
            return error
        except (LookupError, TypeError, AttributeError):
            return BackupsError(f"{name} is damaged.", Remedy.LIST_RELEASES)
        return ran if ran.owner == str(self.owner) else foreign(name, ran.owner, self.owner)

    def _whole(self, ran: DeployedRelease, there: Set[str]) -> bool:
        return all(self._name(item) in there for item in items(ran.receipt, packed=ran.packed))

    def _name(self, item: Item) -> str:
        return f"{self._folder}{item.name}"


def before(ran: Iterable[DeployedRelease], at: str, backend: str | None) -> DeployedRelease | None:
    """Return the last release before the time `at` that ran this image, or None. `ran` is newest first."""
    moment = datetime.fromisoformat(at)
    earlier = (each for each in ran if datetime.fromisoformat(each.at) < moment)
    return next((each for each in earlier if each.receipt["backend"] == backend), None)


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
