"""A client of PocketBase's own API: health, version, login, superusers, counts, backups."""

from pocketbase.admin import (
    OPERATOR,
    AdminError,
    Login,
    SecondFactorWanted,
    StandIn,
    add_stand_in,
    change_password,
    ensure_admin,
    ensure_operator,
    login,
    remove_stand_ins,
    set_superuser,
    stand_ins,
    superuser_since,
)
from pocketbase.backupapi import BackupFailed, StoredBackup
from pocketbase.backups import (
    create_backup,
    delete_backup,
    download_backup,
    flush_wal,
    list_backups,
    upload_backup,
)
from pocketbase.counts import Census, CountError, census, count_records, own_records
from pocketbase.freeze import MARKER_PATH, State, backend_time, freeze, freeze_state, unfreeze
from pocketbase.health import Unhealthy, version, wait_healthy
from pocketbase.requests import Request, record_requests, requests_since
from pocketbase.restores import restore_backup

__all__ = [
    "MARKER_PATH",
    "OPERATOR",
    "AdminError",
    "BackupFailed",
    "Census",
    "CountError",
    "Login",
    "Request",
    "SecondFactorWanted",
    "StandIn",
    "State",
    "StoredBackup",
    "Unhealthy",
    "add_stand_in",
    "backend_time",
    "census",
    "change_password",
    "count_records",
    "create_backup",
    "delete_backup",
    "download_backup",
    "ensure_admin",
    "ensure_operator",
    "flush_wal",
    "freeze",
    "freeze_state",
    "list_backups",
    "login",
    "own_records",
    "record_requests",
    "remove_stand_ins",
    "requests_since",
    "restore_backup",
    "set_superuser",
    "stand_ins",
    "superuser_since",
    "unfreeze",
    "upload_backup",
    "version",
    "wait_healthy",
]
