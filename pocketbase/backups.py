"""PocketBase's own backups: made, fetched, handed over, put in place of another backend's data, deleted.

What PocketBase 0.36 does (files of github.com/pocketbase/pocketbase):

- A backup is a zip of pb_data without backups/, .pb_temp_to_delete/, .autocert_cache/ and lost+found/: both
  databases, stored files, types.d.ts (core/base_backup.go, tools/archive/create.go). Files kept in S3 are not in it.
- While the zip is made both databases are inside a transaction: reads go on, writes wait (core/base_backup.go).
- The work does not depend on the request (apis/backup_create.go takes a background context), so a gateway that gives
  up loses nothing but the answer. The server itself stops writing any answer after five minutes (apis/serve.go).
- One backup or restore runs at a time; a further one is answered with 400, and to a superuser GET /api/health says
  `canBackup: false` meanwhile (apis/backup.go, apis/backup_create.go, apis/health.go).
- A name that is asked for matches ^[a-z0-9_-]+\\.zip$, has at most 150 characters and is new (apis/backup_create.go);
  an upload only has to be new and to look like a zip, and has no limit of size (apis/backup_upload.go, apis/backup.go).
- Backups lie in pb_data/backups, which a restore leaves alone, or in a bucket when settings.backups.s3 is on; then
  names are shared by all backends with that bucket (core/base_backup.go). What a restore brings includes these
  settings, the superusers and the secrets of all tokens.
- The server needs free disk for about twice its data, to make a backup and to restore one (core/base_backup.go).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from loopback import client, httpx
from pocketbase.admin import Login
from pocketbase.backupapi import (
    AGAIN,
    ROUTE,
    BackupFailed,
    StoredBackup,
    ask,
    attempt,
    check_name,
    connect,
    idle,
    size_of,
    stored,
)
from waiting import backoff

BODY_SECONDS = 600.0
"""For a body to be taken or handed over without a byte moving."""
LOST_SECONDS = 5.0
"""How long a backend may be idle without the backup before the request for it counts as lost."""
LATE_SECONDS = 30.0
"""How long a backend may be idle without the restored data: PocketBase begins after one second (apis/backup.go)."""
OFTEN_SECONDS = 10.0
QUIET_AFTER_SECONDS = 2.5
LOG_SECONDS = 4.5
CHUNK = 1024 * 1024
SIGNS = "/api/collections/_mfas/records"


@dataclass(frozen=True)
class _Sign:
    id: str
    created: str


def list_backups(url: str, session: Login) -> list[StoredBackup]:
    """What the backend holds, in the order of names. Raises BackupFailed."""
    with connect(session) as http:
        return stored(http, url)


def create_backup(url: str, session: Login, name: str, seconds: float = 1800.0) -> None:
    """Returns when the backup exists completely, also when a gateway gave up before. Raises BackupFailed: a name that
    PocketBase does not take or has already, another backup under way, no backup after `seconds`.
    """
    check_name(name)
    with connect(session) as http:
        said = attempt(http, "POST", f"{url}{ROUTE}", json={"name": name})
        if said.startswith("refused"):
            raise BackupFailed(f"The backend at {url} {said} to make backup {name}; {AGAIN}")
        _wait_created(http, url, name, said, seconds)


def download_backup(url: str, session: Login, name: str, target: Path, seconds: float = 3600.0) -> str:
    """Writes the backup to `target`, readable for its owner alone, and returns its SHA-256 in hexadecimal digits.

    A download that breaks off goes on where it ended: PocketBase serves ranges (tools/filesystem/filesystem.go), and
    stops writing any answer after five minutes. Raises BackupFailed, and then leaves no target.
    """
    with connect(session, BODY_SECONDS) as http:
        size = size_of(http, url, name)
        if size is None:
            raise BackupFailed(f"The backend at {url} has no backup {name}; {AGAIN}")
        with _private(target) as file:
            digest = hashlib.sha256()
            said = "nothing"
            for _ in backoff(seconds, first=0.1):
                said = _fetch(http, url, name, file, digest)
                if file.tell() >= size or said.startswith("refused"):
                    break
            if file.tell() != size:
                raise BackupFailed(
                    f"Backup {name} of the backend at {url} ended after {file.tell()} of {size} bytes "
                    f"(it said {said}); {AGAIN}"
                )
            file.flush()
            os.fsync(file.fileno())
    return digest.hexdigest()


def upload_backup(url: str, session: Login, source: Path, name: str, seconds: float = 60.0) -> None:
    """Hands the file over under that name, in pieces; returns when the backend lists it with the same size, at the
    latest `seconds` after the last byte. Raises BackupFailed. The backend reads a request for at most five minutes
    (apis/serve.go), so a slow line limits the size.
    """
    check_name(name)
    with connect(session, BODY_SECONDS) as http:
        with source.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            body = {"file": (name, file, "application/zip")}
            said = attempt(http, "POST", f"{url}{ROUTE}/upload", files=body)
        if said.startswith("refused"):
            raise BackupFailed(f"The backend at {url} {said} to take backup {name}; {AGAIN}")
        for _ in backoff(seconds):
            if size_of(http, url, name) == size:
                return
    raise BackupFailed(f"The backend at {url} does not hold backup {name} after its upload (it said {said}); {AGAIN}")


def delete_backup(url: str, session: Login, name: str) -> None:
    """The backend no longer holds that backup. Raises BackupFailed, also while it is being made."""
    with connect(session) as http:
        said = attempt(http, "DELETE", f"{url}{ROUTE}/{quote(name, safe='')}")
        if said != "204" and size_of(http, url, name) is not None:
            raise BackupFailed(f"The backend at {url} {said} to delete backup {name}; {AGAIN}")


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


def _wait_created(http: httpx.Client, url: str, name: str, said: str, seconds: float) -> None:
    """Listed and idle is complete; idle and not listed for a while is lost."""
    idle_since = 0.0
    for _ in backoff(seconds):
        if not idle(http, url):
            idle_since = 0.0
            continue
        if size_of(http, url, name) is not None:
            return
        idle_since = idle_since or time.monotonic()
        if time.monotonic() - idle_since > LOST_SECONDS:
            break
    raise BackupFailed(f"The backend at {url} made no backup {name} (it said {said}); {AGAIN}")


@contextmanager
def _private(target: Path) -> Iterator[BinaryIO]:
    """A new file that only its owner can read; gone again when the block fails."""
    target.unlink(missing_ok=True)
    try:
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _fetch(http: httpx.Client, url: str, name: str, file: BinaryIO, digest: Any) -> str:
    """Appends what is missing, as far as it comes; returns how it ended. The file token, which PocketBase wants in
    the address, lasts a few minutes: each request gets its own.
    """
    have = file.tell()
    try:
        token = http.post(f"{url}/api/files/token").json()["token"]
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={have}-"}
        with http.stream(
            "GET", f"{url}{ROUTE}/{quote(name, safe='')}", params={"token": token}, headers=headers
        ) as got:
            if got.status_code == 206 or (got.status_code == 200 and not have):
                for chunk in got.iter_raw(CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
            elif 400 <= got.status_code < 500:
                return f"refused (status {got.status_code})"
            return str(got.status_code)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return type(error).__name__


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
    for _ in _often(seconds):
        with client(timeout=10.0, headers={"Authorization": session.token}) as http:
            look = _look(http, url, sign)
            seen = seen + 1 if look == "restored" else 0
            if seen == 2:
                return
            waited = time.monotonic() - start
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
        status = int(found.json().get("status", found.status_code))
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
    if all(each.name != name for each in list_backups(url, session)):
        raise BackupFailed(f"The backend at {url} came back without backup {name}: its disk was replaced; {AGAIN}")
