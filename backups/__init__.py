"""Backups of the backend: verified, encrypted, found again; and the ledger of what was done to it."""

from backups.archive import Contents, inspect, written_after
from backups.errors import BackupsError
from backups.keys import new_key, valid_key
from backups.ledger import UNDONE, Entry, Ledger, who
from backups.manifest import About, Backup, Reason
from backups.shelf import Shelf
from backups.store import Bucket, Folder, Store, open_store
from backups.take import take

__all__ = [
    "UNDONE",
    "About",
    "Backup",
    "BackupsError",
    "Bucket",
    "Contents",
    "Entry",
    "Folder",
    "Ledger",
    "Reason",
    "Shelf",
    "Store",
    "inspect",
    "new_key",
    "open_store",
    "take",
    "valid_key",
    "who",
    "written_after",
]
