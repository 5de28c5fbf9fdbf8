"""A client of PocketBase's own API: health, version, login, superusers, counts, backups."""

from pocketbase.admin import AdminError, Login, ensure_admin, login
from pocketbase.backupapi import BackupFailed, StoredBackup
from pocketbase.backups import (
    create_backup,
    delete_backup,
    download_backup,
    list_backups,
    upload_backup,
)
from pocketbase.counts import Census, CountError, census, count_records
from pocketbase.health import Unhealthy, version, wait_healthy
from pocketbase.restores import restore_backup

__all__ = [
    "AdminError",
    "BackupFailed",
    "Census",
    "CountError",
    "Login",
    "StoredBackup",
    "Unhealthy",
    "census",
    "count_records",
    "create_backup",
    "delete_backup",
    "download_backup",
    "ensure_admin",
    "list_backups",
    "login",
    "restore_backup",
    "upload_backup",
    "version",
    "wait_healthy",
]
