"""Restore a backup on a backend, and verify that the backend has its data.

How PocketBase 0.36 works (files of github.com/pocketbase/pocketbase): it answers 204 at once and starts a second later
(apis/backup.go). It unpacks the zip, moves pb_data away and the unpacked files in, except backups/ and the like
(core/base_backup.go), and replaces its own process by exec (core/base.go). It only checks that the zip can be unpacked
and has a data.db. A failure before the exec leaves the data unchanged and is only logged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from clients.http import client, httpx
from clients.pocketbase.admin import Login
from clients.pocketbase.backupapi import ROUTE, BackupFailed, ask, attempt, connect, failed, idle, size_of
from errors import First, Remedy
from retry import backoff

LATE_SECONDS = 30.0
"""How long a backend may be idle without the restored data. PocketBase starts after one second (apis/backup.go)."""
AWAY_SECONDS = 60.0
"""How long it may not answer at all. It answers while it unpacks a backup, so this is only the time of its start."""
OFTEN_SECONDS = 10.0
QUIET_AFTER_SECONDS = 2.5
LOG_SECONDS = 4.5
SIGNS = "/api/collections/_mfas/records"


@dataclass(frozen=True)
class _Sign:
    """The record that marks the backend's present data."""

    id: str
    created: str


def restore_backup(
    url: str, session: Login, name: str, seconds: float = 600.0, relogin: Callable[[], Login | None] | None = None
) -> None:
    """Restore a backup, and return when the backend answers with its data. Raises BackupFailed.

    PocketBase answers before it has started, and only logs a failure (see above). So a record is written first that no
    backup can contain: an _mfas record, which gives no access, and which PocketBase deletes within the hour
    (core/mfa_model.go). It is missing when the data is the backup's. While the old process still answers, the health
    check has `canBackup: false`.

    Afterwards the session is invalid unless the backup has its superuser. To a guest, an empty disk looks the same as
    restored data. So pass `relogin`, which logs in to the new data: then the backup's file must still be on the disk.
    """
    with connect(session) as http:
        if size_of(http, url, name) is None:
            raise BackupFailed(f"The backend at {url} has no backup {name}.", Remedy.RETRY)
        if not idle(http, url):  # the sign is a write, and would wait for its end
            problem = f"Another backup or restore is in progress at {url}."
            raise BackupFailed(problem, First("wait until it has ended", Remedy.RETRY))
        sign = _write_sign(http, url, session)
        try:
            result = attempt(http, "POST", f"{url}{ROUTE}/{quote(name, safe='')}/restore")
            if result.startswith("refused"):
                raise failed(f"The backend at {url} did not restore the backup {name}.", result)
            _wait_restored(url, session, name, sign, seconds)
        except BackupFailed:
            attempt(http, "DELETE", f"{url}{SIGNS}/{sign.id}")
            raise
    if relogin is not None:
        _check_backup_present(url, name, relogin())


def _write_sign(http: httpx.Client, url: str, session: Login) -> _Sign:
    """Create a record that is only in the present data."""
    collection = ask(http, url, "/api/collections/_superusers", fields="id")["id"]
    body = {"collectionRef": collection, "recordRef": session.id, "method": "restore"}
    try:
        record = http.post(f"{url}{SIGNS}", json=body).raise_for_status().json()
        return _Sign(str(record["id"]), str(record["created"]))
    except (httpx.HTTPError, ValueError, KeyError) as error:
        problem = f"The backend at {url} did not store the record that marks its present data ({type(error).__name__})."
        raise BackupFailed(problem, Remedy.RETRY) from None


def _wait_restored(url: str, session: Login, name: str, sign: _Sign, seconds: float) -> None:
    """Wait until two checks in a row find the restored data.

    While pb_data is replaced, the old process can read the new data for some microseconds. Its listener is closed
    before the second check, which uses a new connection.
    """
    restored_checks, started, start = 0, False, time.monotonic()
    answered = start
    for _ in _check_times(seconds):
        with client(timeout=10.0, headers={"Authorization": session.token}) as http:
            state = _read_state(http, url, sign)
            restored_checks = restored_checks + 1 if state == "restored" else 0
            if restored_checks == 2:
                return
            now = time.monotonic()
            waited, answered = now - start, answered if state == "away" else now
            if now - answered > AWAY_SECONDS:
                problem = f"The backend at {url} does not answer since the restore of the backup {name} began."
                raise BackupFailed(problem, Remedy.RETRY)
            if state == "own data" and (started or waited > QUIET_AFTER_SECONDS):
                why = _failure(http, url, name, sign)
                if why or started or waited > LATE_SECONDS:
                    problem = f"The backend at {url} did not restore the backup {name}, and still has its own data."
                    raise BackupFailed(problem, Remedy.RETRY, cause=why or "its log has no reason")
            started = started or state == "at work"
    problem = f"The backend at {url} did not restore the backup {name} within {seconds:.0f} s."
    raise BackupFailed(problem, Remedy.RETRY)


def _check_times(seconds: float) -> Iterator[int]:
    """Pause 50 ms between checks at first: a small backup is restored within two seconds, and writes wait for it."""
    yield from backoff(min(seconds, OFTEN_SECONDS), longest=0.05)
    yield from backoff(max(0.0, seconds - OFTEN_SECONDS), longest=0.5)


def _read_state(http: httpx.Client, url: str, sign: _Sign) -> str:
    """Return the state: "own data", "at work", "restored" or "away".

    The health check comes first. If it is the new process that answers that it is idle, the later request for the sign
    finds nothing.
    """
    try:
        health = http.get(f"{url}/api/health")
        sign_answer = http.get(f"{url}{SIGNS}/{sign.id}", params={"fields": "id"})
        idle_now = dict(health.json()["data"]).get("canBackup", "void")
        status = (
            200 if sign_answer.status_code == 200 else int(sign_answer.json()["status"])
        )  # PocketBase's own status, not a gateway's
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
        return "away"
    if health.status_code != 200 or status != sign_answer.status_code:
        return "away"
    if not idle_now:
        return "at work"
    if status == 200:
        return "own data"
    return "restored" if status in (401, 403, 404) else "away"


def _failure(http: httpx.Client, url: str, name: str, sign: _Sign) -> str:
    """Return the reason for a failed restore from PocketBase's log; empty if there is none.

    PocketBase writes its log after three seconds without entries (core/base.go). Requests are logged, except those for
    the log (apis/logs.go), so no other requests are sent here.
    """
    condition = f"message = 'Failed to restore backup' && data.key = '{name}' && created >= '{sign.created}'"
    for _ in backoff(LOG_SECONDS, longest=0.25):
        try:
            answer = http.get(f"{url}/api/logs", params={"filter": condition, "perPage": "1", "skipTotal": "1"})
            if answer.status_code != 200:
                return ""
            if items := answer.json()["items"]:
                return str(items[0]["data"]["error"])
        except (httpx.HTTPError, ValueError, LookupError, TypeError):
            return ""
    return ""


def _check_backup_present(url: str, name: str, session: Login | None) -> None:
    if session is None:
        problem = f"The backend at {url} has other data after the restore, but refuses its admin's login."
        raise BackupFailed(problem, Remedy.RETRY)
    with connect(session) as http:
        if size_of(http, url, name) is not None:
            return
    problem = f"The disk of the backend at {url} was replaced during the restore of the backup {name}."
    raise BackupFailed(problem, Remedy.RETRY)
