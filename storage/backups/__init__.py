"""Verified and encrypted backups of the backend, and the audit log of changes to its data."""

from storage.backups.archive import Contents, inspect, written_after
from storage.backups.audit_log import UNDONE, AuditLog, Entry, who
from storage.backups.catalog import BackupCatalog
from storage.backups.errors import BackupsError
from storage.backups.keys import new_key, valid_key
from storage.backups.manifest import Backup, BackupOrigin, Reason
from storage.backups.store import Bucket, Folder, Store, open_store
from storage.backups.take import take

__all__ = [
    "UNDONE",
    "AuditLog",
    "Backup",
    "BackupCatalog",
    "BackupOrigin",
    "BackupsError",
    "Bucket",
    "Contents",
    "Entry",
    "Folder",
    "Reason",
    "Store",
    "inspect",
    "new_key",
    "open_store",
    "take",
    "valid_key",
    "who",
    "written_after",
]
