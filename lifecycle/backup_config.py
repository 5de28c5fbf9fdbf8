"""The configuration of the backup store, for hooks and resources."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi

from lifecycle.naming import owner
from stack_outputs import Owner

if TYPE_CHECKING:  # boto3 and age are imported by those who need them, not by every run
    from settings import Settings
    from storage.backups import AuditLog, Backup, BackupCatalog, Store
    from storage.releases.store import ReleaseStore


@dataclass(frozen=True, kw_only=True)
class BackupConfig:
    owner: Owner
    """The stack whose backups these are. No other stack can restore them."""
    store: str
    endpoint: str | None
    region: str | None
    key: str | None
    """An age identity; without one, backups are not encrypted."""
    keep_count: int | None
    keep_days: int | None

    @classmethod
    def of_settings(cls, settings: Settings, key: str | None) -> BackupConfig:
        return cls(owner=owner(), key=key, **settings.backup.model_dump())

    @classmethod
    def of(cls, props: dict[str, Any]) -> BackupConfig:
        """Read the configuration from a resource's properties, in which numbers are floats."""
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
        """Return a resource's inputs, with the key as a secret."""
        known = {**asdict(self), "owner": str(self.owner)}
        plain = {name: value for name, value in known.items() if value is not None and name != "key"}
        return {**plain, "key": pulumi.Output.secret(self.key)} if self.key else plain

    def catalog(self) -> BackupCatalog:
        """Open the backup catalog. Raises BackupsError if the store cannot be used."""
        from storage.backups import BackupCatalog

        return BackupCatalog(self._open_store(), self.owner, self.key, self.scratch())

    def audit_log(self) -> AuditLog:
        from storage.backups import AuditLog

        return AuditLog(self._open_store(), self.owner)

    def release_store(self) -> ReleaseStore:
        """Open the store of archived releases. Raises BackupsError if the store cannot be used."""
        from storage.releases.store import ReleaseStore

        return ReleaseStore(self._open_store(), self.owner)

    def check(self, backup: str) -> Backup:
        """Return the backup's record. Raises BackupsError if the store does not have it."""
        return self.catalog().check(backup)

    def prove(self, backup: str) -> Backup:
        """Fetch, open and read the whole backup, and return its record. Raises BackupsError."""
        with tempfile.TemporaryDirectory(dir=self.scratch()) as folder:
            return self.catalog().fetch(backup, Path(folder) / "proof.zip")

    def check_writable(self) -> None:
        """Raises BackupsError if the store is not writable."""
        self.catalog().check_writable()

    def _open_store(self) -> Store:
        from storage.backups import open_store

        return open_store(self.store, Path.cwd(), self.endpoint, self.region)

    def scratch(self) -> Path:
        """Return the stack's folder for temporary archives, which only the user may enter."""
        from storage.backups.files import private_folder

        private = Path.cwd() / ".oracle"
        private.mkdir(exist_ok=True)
        private.chmod(0o700)
        folder = private / "scratch" / str(self.owner)
        private_folder(folder)
        return folder
