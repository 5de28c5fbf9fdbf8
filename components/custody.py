"""Where the backend's backups and the ledger of what became of its data are kept, as hooks and resources need it."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi

from components.dynamic import Sentence
from components.naming import owner
from contract import Owner

if TYPE_CHECKING:  # boto3 and age are imported by those who need them, not by every run
    from backups import Backup, Ledger, Shelf
    from releases.keep import Keep
    from settings import Settings


@dataclass(frozen=True, kw_only=True)
class Custody:
    owner: Owner
    """The stack that all of it is kept for, and that alone may have it back."""
    store: str
    endpoint: str | None
    region: str | None
    key: str | None
    """An age identity; without one backups are kept as they are."""
    keep_count: int | None
    keep_days: int | None

    @classmethod
    def of_settings(cls, settings: Settings, key: str | None) -> Custody:
        return cls(owner=owner(), key=key, **settings.backup.model_dump())

    @classmethod
    def of(cls, props: dict[str, Any]) -> Custody:
        """From a resource's properties, in which numbers are floats."""
        count, days = props.get("keep_count"), props.get("keep_days")
        return cls(
            owner=Owner.of(props["owner"]),
            store=props["store"],
            endpoint=props.get("endpoint"),
            region=props.get("region"),
            key=props.get("key"),
            keep_count=int(count) if count else None,
            keep_days=int(days) if days else None,
        )

    def props(self) -> dict[str, pulumi.Input[Any]]:
        """For a resource's inputs; the key is a secret there."""
        known = {**asdict(self), "owner": str(self.owner)}
        plain = {name: value for name, value in known.items() if value is not None and name != "key"}
        return {**plain, "key": pulumi.Output.secret(self.key)} if self.key else plain

    def shelf(self) -> Shelf:
        """Raises Sentence when the store cannot be used."""
        from backups import BackupsError, Shelf, open_store

        try:
            store = open_store(self.store, Path.cwd(), self.endpoint, self.region)
            return Shelf(store, self.owner, self.key, self.scratch())
        except BackupsError as error:
            raise Sentence(str(error)) from None

    def ledger(self) -> Ledger:
        from backups import BackupsError, Ledger, open_store

        try:
            return Ledger(open_store(self.store, Path.cwd(), self.endpoint, self.region), self.owner)
        except BackupsError as error:
            raise Sentence(str(error)) from None

    def keep(self) -> Keep:
        """Where the bytes of releases are kept."""
        from backups import BackupsError, open_store
        from releases.keep import Keep

        try:
            return Keep(open_store(self.store, Path.cwd(), self.endpoint, self.region), self.owner)
        except BackupsError as error:
            raise Sentence(str(error)) from None

    def check(self, backup: str) -> Backup:
        """The backup, when the store has it. Raises Sentence."""
        from backups import BackupsError

        try:
            return self.shelf().check(backup)
        except BackupsError as error:
            raise Sentence(str(error)) from None

    def prove(self, backup: str) -> Backup:
        """The backup, when it can be fetched, opened and read whole. Raises Sentence."""
        from backups import BackupsError

        try:
            with tempfile.TemporaryDirectory(dir=self.scratch()) as folder:
                return self.shelf().fetch(backup, Path(folder) / "proof.zip")
        except BackupsError as error:
            raise Sentence(str(error)) from None

    def check_writable(self) -> None:
        """Raises Sentence when the store does not take what is written to it."""
        from backups import BackupsError

        try:
            self.shelf().check_writable()
        except BackupsError as error:
            raise Sentence(str(error)) from None

    def scratch(self) -> Path:
        """A folder of the stack's for archives on their way, which only the user may enter."""
        from backups.files import private_folder

        private = Path.cwd() / ".oracle"
        private.mkdir(exist_ok=True)
        private.chmod(0o700)
        folder = private / "scratch" / str(self.owner)
        private_folder(folder)
        return folder
