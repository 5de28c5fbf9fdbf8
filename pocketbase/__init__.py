"""A client of PocketBase's own API: health, version, login, superusers, counts, backups."""

from pocketbase.admin import (
    AdminError,
    Login,
    StandIn,
    add_stand_in,
    change_password,
    ensure_admin,
    login,
    remove_stand_ins,
)
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
    "StandIn",
    "StoredBackup",
    "Unhealthy",
    "add_stand_in",
    "census",
    "change_password",
    "count_records",
    "create_backup",
    "delete_backup",
    "download_backup",
    "ensure_admin",
    "list_backups",
    "login",
    "remove_stand_ins",
    "restore_backup",
    "upload_backup",
    "version",
    "wait_healthy",
]
