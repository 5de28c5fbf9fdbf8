"""A backup put in place of a backend's own data, and how one knows that it happened.

What PocketBase 0.36 does (files of github.com/pocketbase/pocketbase): it answers 204 at once and begins a second
later (apis/backup.go); it unpacks the zip, moves pb_data away and the unpacked files in, but for backups/ and the
like (core/base_backup.go), and replaces its own process by exec (core/base.go). It checks no more than that the zip
can be unpacked and has a data.db. A failure before the exec leaves the data as it was and is only logged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from clients.http import client, httpx
from clients.pocketbase.admin import Login
from clients.pocketbase.backupapi import AGAIN, ROUTE, BackupFailed, ask, attempt, connect, idle, size_of
from retry import backoff

LATE_SECONDS = 30.0
"""How long a backend may be idle without the restored data: PocketBase begins after one second (apis/backup.go)."""
AWAY_SECONDS = 60.0
"""How long it may not answer at all: it still answers while it unpacks a backup, and has only to start then."""
OFTEN_SECONDS = 10.0
QUIET_AFTER_SECONDS = 2.5
LOG_SECONDS = 4.5
SIGNS = "/api/collections/_mfas/records"


@dataclass(frozen=True)
class _Sign:
    id: str
    created: str


def restore_backup(
    url: str, session: Login, name: str, seconds: float = 600.0, relogin: Callable[[], Login | None] | None = None
) -> None:
    """Returns once the backend answers with the data of that backup instead of its own. Raises BackupFailed.

    PocketBase answers at once, begins a second later, replaces pb_data, then its own process by exec, and only logs
    a failure (apis/backup.go, core/base_backup.go, core/base.go). So a record that no backup can hold is written
    before: an _mfas record, which PocketBase itself deletes within the hour (core/mfa_model.go) and which gives
    nobody anything. It is gone when the data is the backup's; while the old process still answers, the health
    check says `canBackup: false`.

    The session is void afterwards unless the backup holds its superuser. An empty disk looks restored to a guest,
    so pass `relogin`, which logs in to the new data: then the backup must still lie beside it.
    """
    with connect(session) as http:
        if size_of(http, url, name) is None:
            raise BackupFailed(f"The backend at {url} has no backup {name}; {AGAIN}")
        if not idle(http, url):  # the sign, a write, would wait for the end of it
            raise BackupFailed(f"Another backup or restore is under way at {url}; when it has ended, {AGAIN}")
        sign = _write_sign(http, url, session)
        try:
            said = attempt(http, "POST", f"{url}{ROUTE}/{quote(name, safe='')}/restore")
            if said.startswith("refused"):
                raise BackupFailed(f"The backend at {url} {said} to restore backup {name}; {AGAIN}")
            _wait_restored(url, session, name, sign, seconds)
        except BackupFailed:
            attempt(http, "DELETE", f"{url}{SIGNS}/{sign.id}")
            raise
    if relogin is not None:
        _prove(url, name, relogin())


def _write_sign(http: httpx.Client, url: str, session: Login) -> _Sign:
    """A record that exists in the present data alone."""
    collection = ask(http, url, "/api/collections/_superusers", fields="id")["id"]
    body = {"collectionRef": collection, "recordRef": session.id, "method": "restore"}
    try:
        made = http.post(f"{url}{SIGNS}", json=body).raise_for_status().json()
        return _Sign(str(made["id"]), str(made["created"]))
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise BackupFailed(f"The backend at {url} could not be marked ({type(error).__name__}); {AGAIN}") from None


def _wait_restored(url: str, session: Login, name: str, sign: _Sign, seconds: float) -> None:
    """Two looks in succession must find the restored data: while pb_data is replaced, for some microseconds, the old
    process can read the new data. Its listener is closed before a second look comes, over a connection of its own.
    """
    seen, began, start = 0, False, time.monotonic()
    answered = start
    for _ in _often(seconds):
        with client(timeout=10.0, headers={"Authorization": session.token}) as http:
            look = _look(http, url, sign)
            seen = seen + 1 if look == "restored" else 0
            if seen == 2:
                return
            now = time.monotonic()
            waited, answered = now - start, answered if look == "away" else now
            if now - answered > AWAY_SECONDS:
                raise BackupFailed(f"The backend at {url} does not answer since it was to take backup {name}; {AGAIN}")
            if look == "own data" and (began or waited > QUIET_AFTER_SECONDS):
                why = _failure(http, url, name, sign)
                if why or began or waited > LATE_SECONDS:
                    why = why or "its log does not say why"
                    raise BackupFailed(f"The backend at {url} kept its data instead of backup {name} ({why}); {AGAIN}")
            began = began or look == "at work"
    raise BackupFailed(f"The backend at {url} did not come back with backup {name} within {seconds:.0f} s; {AGAIN}")


def _often(seconds: float) -> Iterator[int]:
    """Every 50 ms at first: a small backup is in place within two seconds, in which nobody can write."""
    yield from backoff(min(seconds, OFTEN_SECONDS), longest=0.05)
    yield from backoff(max(0.0, seconds - OFTEN_SECONDS), longest=0.5)


def _look(http: httpx.Client, url: str, sign: _Sign) -> str:
    """ "own data", "at work", "restored" or "away". The health check comes first: when it is the new process that
    says it is idle, then the sign, asked for later, is gone.
    """
    try:
        health = http.get(f"{url}/api/health")
        found = http.get(f"{url}{SIGNS}/{sign.id}", params={"fields": "id"})
        idle_now = dict(health.json()["data"]).get("canBackup", "void")
        status = 200 if found.status_code == 200 else int(found.json()["status"])  # PocketBase's own, no gateway's
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
        return "away"
    if health.status_code != 200 or status != found.status_code:
        return "away"
    if not idle_now:
        return "at work"
    if status == 200:
        return "own data"
    return "restored" if status in (401, 403, 404) else "away"


def _failure(http: httpx.Client, url: str, name: str, sign: _Sign) -> str:
    """Why PocketBase's log says that the restore failed; empty when it does not say so.

    It writes its log when nothing was logged for three seconds (core/base.go), and requests are logged, except those
    for the log (apis/logs.go): so nothing else is asked meanwhile.
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


def _prove(url: str, name: str, session: Login | None) -> None:
    if session is None:
        raise BackupFailed(f"The backend at {url} has other data now, but refuses its admin's login; {AGAIN}")
    with connect(session) as http:
        if size_of(http, url, name) is not None:
            return
    raise BackupFailed(f"The backend at {url} came back without backup {name}: its disk was replaced; {AGAIN}")
