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
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from urllib.parse import quote

from clients.http import httpx, is_loopback
from clients.pocketbase.admin import SUPERUSERS, Login
from clients.pocketbase.backupapi import (
    AGAIN,
    ROUTE,
    BackupFailed,
    StoredBackup,
    attempt,
    check_name,
    connect,
    idle,
    size_of,
    stored,
)
from retry import backoff

BODY_SECONDS = 600.0
"""For the answer to an upload, which comes once the backend has copied it."""
STALLED_SECONDS = 60.0
"""How long a download may bring nothing."""
EDGE_SECONDS = 100
"""App Platform: "File uploads to apps timeout after 100 seconds" (docs.digitalocean.com, App Platform limits)."""
LARGEST = 1024**3
"""Half of an app's ephemeral disk: 2 GiB (the same page)."""
MEGABYTE = 1_000_000
LOST_SECONDS = 5.0
"""How long a backend may be idle without the backup before the request for it counts as lost."""


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
    with connect(session, STALLED_SECONDS) as http:
        size = size_of(http, url, name)
        if size is None:
            raise BackupFailed(f"The backend at {url} has no backup {name}; {AGAIN}")
        try:
            with _private(target) as file:
                said = _fetch_all(http, url, name, file, size, seconds)
                if file.tell() != size:
                    raise BackupFailed(
                        f"Backup {name} of the backend at {url} ended after {file.tell()} of {size} bytes "
                        f"(it said {said}); {AGAIN}"
                    )
                file.flush()
                os.fsync(file.fileno())
                file.seek(0)
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise BackupFailed(f"Backup {name} cannot be kept in {target} ({error.strerror}); {AGAIN}") from None


def upload_backup(url: str, session: Login, source: Path, name: str, seconds: float = 60.0) -> None:
    """Hands the file over under that name, in pieces; returns when the backend lists it with the same size, at the
    latest `seconds` after the last byte. Raises BackupFailed. The backend reads a request for at most five minutes
    (apis/serve.go), and App Platform cuts an upload after EDGE_SECONDS, so a slow line limits the size.
    """
    check_name(name)
    begin = time.monotonic()
    with connect(session, BODY_SECONDS) as http:
        try:
            with source.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                _announce(url, size)
                body = {"file": (name, file, "application/zip")}
                said = attempt(http, "POST", f"{url}{ROUTE}/upload", files=body)
        except OSError as error:
            raise BackupFailed(f"Backup {name} cannot be read from {source} ({error.strerror}); {AGAIN}") from None
        if said.startswith("refused"):
            raise BackupFailed(f"The backend at {url} {said} to take backup {name}; {AGAIN}")
        for _ in backoff(seconds):
            if size_of(http, url, name) == size:
                return
    took = f"{size / MEGABYTE:.0f} MB in {time.monotonic() - begin:.0f} s"
    raise BackupFailed(
        f"The backend at {url} does not hold backup {name} after its upload of {took} (it said {said}). App Platform "
        f"cuts an upload after {EDGE_SECONDS} s; from a faster line, {AGAIN}"
    )


def _announce(url: str, size: int) -> None:
    """Say what an upload asks of the line, where it passes App Platform's edge. Raises BackupFailed for one that the
    app's disk cannot take.
    """
    if is_loopback(httpx.URL(url).host):
        return
    megabytes, rate = f"{size / MEGABYTE:.0f} MB", f"{size / MEGABYTE / EDGE_SECONDS:.1f} MB a second"
    if size > LARGEST:
        raise BackupFailed(
            f"The backup has {megabytes}, and an app's disk of 2 GiB takes {LARGEST / MEGABYTE:.0f} MB at most: a "
            "restore needs twice the size. Files in the backend's own S3 bucket are no part of it: "
            "https://pocketbase.io/docs/going-to-production/#use-s3"
        )
    if size > MEGABYTE * EDGE_SECONDS // 10:
        print(
            f"data | uploading {megabytes}: App Platform cuts it after {EDGE_SECONDS} s, so the line must carry {rate}",
            file=sys.stderr,
            flush=True,
        )


def delete_backup(url: str, session: Login, name: str) -> None:
    """The backend no longer holds that backup. Raises BackupFailed, also while it is being made."""
    with connect(session) as http:
        said = attempt(http, "DELETE", f"{url}{ROUTE}/{quote(name, safe='')}")
        if said != "204" and size_of(http, url, name) is not None:
            raise BackupFailed(f"The backend at {url} {said} to delete backup {name}; {AGAIN}")


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
def _private(target: Path) -> Iterator[BufferedRandom]:
    """A new file that only its owner can read; gone again when the block fails."""
    target.unlink(missing_ok=True)
    try:
        with open(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            yield file
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _fetch_all(http: httpx.Client, url: str, name: str, file: BufferedRandom, size: int, seconds: float) -> str:
    """Asks for what is missing as long as something comes; returns how it ended last."""
    said, moved = "nothing", time.monotonic()
    for _ in backoff(seconds, first=0.1):
        before = file.tell()
        said = _fetch(http, url, name, file)
        if file.tell() != before:
            moved = time.monotonic()
        if file.tell() >= size or said.startswith("refused") or time.monotonic() - moved > STALLED_SECONDS:
            break
    return said


def _fetch(http: httpx.Client, url: str, name: str, file: BufferedRandom) -> str:
    """Appends what is missing, as far as it comes; returns how it ended. The file token, which PocketBase wants in
    the address, lasts a few minutes: each request gets its own.
    """
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={file.tell()}-"}
    try:
        token = http.post(f"{url}/api/files/token").json()["token"]
        with http.stream(
            "GET", f"{url}{ROUTE}/{quote(name, safe='')}", params={"token": token}, headers=headers
        ) as got:
            if 400 <= got.status_code < 500:
                return f"refused (status {got.status_code})"
            if got.status_code == 200:  # somebody on the way took the range off: all of it comes again
                file.seek(0)
                file.truncate()
            if got.status_code in (200, 206):
                file.writelines(got.iter_raw())  # as it comes: of a larger piece, an unfinished one would be lost
            return str(got.status_code)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return type(error).__name__


def _tells_no_token(record: logging.LogRecord) -> bool:
    return "token=" not in record.getMessage()


# httpx writes the address of every request into its log, and one of ours has to hold a file token.
logging.getLogger("httpx").addFilter(_tells_no_token)


def flush_wal(url: str, session: Login) -> None:
    """Have the server write its whole WAL into its databases, as it does by itself every night (core/base.go).

    A backup takes the files from the disk. Where a second process has deleted the server's WAL, what was written since
    is in that deleted file alone, and this saves it. Raises BackupFailed.
    """
    with connect(session) as http:
        said = attempt(http, "POST", f"{url}/api/crons/__pbDBOptimize__")
        if said.startswith("refused") and "404" not in said:
            raise BackupFailed(f"The backend at {url} {said} to write its WAL to its database; {AGAIN}")
        # It answers at once. A write of ours waits its turn behind it: the server writes on one connection.
        attempt(http, "PATCH", f"{url}{SUPERUSERS}/records/{session.id}", json={"emailVisibility": False})
