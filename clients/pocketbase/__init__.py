"""A client of PocketBase's API: health, version, superusers, record counts, backups, write freeze, request log."""

from clients.pocketbase.admin import (
    OPERATOR,
    AdminError,
    Login,
    SecondFactorWanted,
    TemporaryAdmin,
    add_temporary_admin,
    change_password,
    ensure_admin,
    ensure_operator,
    list_temporary_admins,
    login,
    remove_temporary_admins,
    set_superuser,
    superuser_since,
)
from clients.pocketbase.backupapi import BackupFailed, StoredBackup
from clients.pocketbase.backups import (
    create_backup,
    delete_backup,
    download_backup,
    flush_wal,
    list_backups,
    upload_backup,
)
from clients.pocketbase.counts import CountError, DataSummary, count_records, own_records, summarize_data
from clients.pocketbase.freeze import MARKER_PATH, State, backend_time, freeze, freeze_state, unfreeze
from clients.pocketbase.health import Unhealthy, version, wait_healthy
from clients.pocketbase.requests import Request, record_requests, requests_since
from clients.pocketbase.restores import restore_backup

__all__ = [
    "MARKER_PATH",
    "OPERATOR",
    "AdminError",
    "BackupFailed",
    "CountError",
    "DataSummary",
    "Login",
    "Request",
    "SecondFactorWanted",
    "State",
    "StoredBackup",
    "TemporaryAdmin",
    "Unhealthy",
    "add_temporary_admin",
    "backend_time",
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
    "list_temporary_admins",
    "login",
    "own_records",
    "record_requests",
    "remove_temporary_admins",
    "requests_since",
    "restore_backup",
    "set_superuser",
    "summarize_data",
    "superuser_since",
    "unfreeze",
    "upload_backup",
    "version",
    "wait_healthy",
]
