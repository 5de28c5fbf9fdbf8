"""Create, list, download, upload and delete PocketBase's own backups.

How PocketBase 0.36 works (files of github.com/pocketbase/pocketbase):

- A backup is a zip of pb_data without backups/, .pb_temp_to_delete/, .autocert_cache/ and lost+found/: both
  databases, stored files, types.d.ts (core/base_backup.go, tools/archive/create.go). Files kept in S3 are not in it.
- While the zip is created both databases are inside a transaction: reads go on, writes wait (core/base_backup.go).
- The work does not depend on the request (apis/backup_create.go takes a background context). So if a gateway times out,
  only the answer is lost. The server itself stops writing any answer after five minutes (apis/serve.go).
- One backup or restore runs at a time. Another one is refused with 400, and GET /api/health shows superusers
  `canBackup: false` (apis/backup.go, apis/backup_create.go, apis/health.go).
- The name of a new backup matches ^[a-z0-9_-]+\\.zip$, has at most 150 characters and is new (apis/backup_create.go).
  An upload only has to be new and to look like a zip, and has no size limit (apis/backup_upload.go, apis/backup.go).
- Backups are in pb_data/backups, which a restore does not change, or in a bucket if settings.backups.s3 is on. Then
  all backends with that bucket share the names (core/base_backup.go). A restore also restores these settings, the
  superusers and the secrets of all tokens.
- The server needs free disk space of about twice its data, for a backup and for a restore (core/base_backup.go).
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
    ROUTE,
    BackupFailed,
    StoredBackup,
    attempt,
    check_name,
    connect,
    failed,
    idle,
    size_of,
    stored,
)
from errors import First, Remedy
from retry import backoff

BODY_SECONDS = 600.0
"""The timeout of the answer to an upload, which comes after the backend has copied it."""
STALLED_SECONDS = 60.0
"""How long a download may receive nothing."""
EDGE_SECONDS = 100
"""App Platform: "File uploads to apps timeout after 100 seconds" (docs.digitalocean.com, App Platform limits)."""
LARGEST = 1024**3
"""Half of an app's ephemeral disk: 2 GiB (the same page)."""
MEGABYTE = 1_000_000
LOST_SECONDS = 5.0
"""How long a backend may be idle without the new backup before the request counts as lost."""


def list_backups(url: str, session: Login) -> list[StoredBackup]:
    """Return the backups on the backend, sorted by name. Raises BackupFailed."""
    with connect(session) as http:
        return stored(http, url)


def create_backup(url: str, session: Login, name: str, seconds: float = 1800.0) -> None:
    """Create a backup and wait until it is complete, even if a gateway times out.

    Raises BackupFailed if the name is invalid or exists, if another backup is in progress, and after `seconds`.
    """
    check_name(name)
    with connect(session) as http:
        result = attempt(http, "POST", f"{url}{ROUTE}", json={"name": name})
        if result.startswith("refused"):
            raise failed(f"The backend at {url} did not create the backup {name}.", result)
        _wait_created(http, url, name, result, seconds)


def download_backup(url: str, session: Login, name: str, target: Path, seconds: float = 3600.0) -> str:
    """Download the backup to `target` (mode 0600), and return its SHA-256 in hex.

    A broken download resumes where it ended: PocketBase supports ranges (tools/filesystem/filesystem.go), and stops
    writing any answer after five minutes. Raises BackupFailed, and then there is no target.
    """
    with connect(session, STALLED_SECONDS) as http:
        size = size_of(http, url, name)
        if size is None:
            raise BackupFailed(f"The backend at {url} has no backup {name}.", Remedy.RETRY)
        try:
            with _private(target) as file:
                result = _fetch_all(http, url, name, file, size, seconds)
                if file.tell() != size:
                    raise failed(
                        f"The download of the backup {name} from {url} ended after {file.tell()} of {size} bytes.",
                        result,
                    )
                file.flush()
                os.fsync(file.fileno())
                file.seek(0)
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            problem = f"The backup {name} could not be written to {target} ({error.strerror})."
            raise BackupFailed(problem, First(f"let this user write to {target.parent}", Remedy.RETRY)) from None


def upload_backup(url: str, session: Login, source: Path, name: str, seconds: float = 60.0) -> None:
    """Stream the file to the backend, and wait until the backend lists it under `name` with the same size.

    The wait ends `seconds` after the last byte. The backend reads a request for at most five minutes (apis/serve.go),
    and App Platform cuts an upload after EDGE_SECONDS, so a slow line limits the size. Raises BackupFailed.
    """
    check_name(name)
    begin = time.monotonic()
    with connect(session, BODY_SECONDS) as http:
        try:
            with source.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                _check_upload_size(url, size)
                body = {"file": (name, file, "application/zip")}
                result = attempt(http, "POST", f"{url}{ROUTE}/upload", files=body)
        except OSError as error:
            problem = f"The backup {name} could not be read from {source} ({error.strerror})."
            raise BackupFailed(problem, Remedy.RETRY) from None
        if result.startswith("refused"):
            raise failed(f"The backend at {url} did not store the backup {name}.", result)
        for _ in backoff(seconds):
            if size_of(http, url, name) == size:
                return
    took = f"{size / MEGABYTE:.0f} MB in {time.monotonic() - begin:.0f} s"
    raise BackupFailed(
        f"The backend at {url} does not have the backup {name} after an upload of {took} ({result}). App Platform "
        f"ends an upload after {EDGE_SECONDS} s.",
        First("use a faster line", Remedy.RETRY),
    )


def _check_upload_size(url: str, size: int) -> None:
    """Print the line speed that an upload through App Platform's edge needs.

    Raises BackupFailed if the upload is too large for the app's disk.
    """
    if is_loopback(httpx.URL(url).host):
        return
    megabytes, rate = f"{size / MEGABYTE:.0f} MB", f"{size / MEGABYTE / EDGE_SECONDS:.1f} MB a second"
    if size > LARGEST:
        raise BackupFailed(
            f"The backup has {megabytes}, but an app's disk of 2 GiB has room for at most {LARGEST / MEGABYTE:.0f} MB, "
            "because a restore needs twice the size.",
            First(
                "store the backend's files in an S3 bucket, whose files are not in a backup "
                "(https://pocketbase.io/docs/going-to-production/#use-s3)"
            ),
        )
    if size > MEGABYTE * EDGE_SECONDS // 10:
        print(
            f"data | uploading {megabytes}: App Platform ends it after {EDGE_SECONDS} s, so the line needs {rate}",
            file=sys.stderr,
            flush=True,
        )


def delete_backup(url: str, session: Login, name: str) -> None:
    """Delete a backup on the backend, if it exists. Raises BackupFailed, also while it is being created."""
    with connect(session) as http:
        result = attempt(http, "DELETE", f"{url}{ROUTE}/{quote(name, safe='')}")
        if result != "204" and size_of(http, url, name) is not None:
            raise failed(f"The backend at {url} did not delete the backup {name}.", result)


def _wait_created(http: httpx.Client, url: str, name: str, result: str, seconds: float) -> None:
    """Wait until the backend is idle and lists the backup. If it is idle without it for LOST_SECONDS, it is lost."""
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
    raise failed(f"The backend at {url} did not create the backup {name}.", result)


@contextmanager
def _private(target: Path) -> Iterator[BufferedRandom]:
    """Create a file with mode 0600, and delete it if the block fails."""
    target.unlink(missing_ok=True)
    try:
        with open(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            yield file
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _fetch_all(http: httpx.Client, url: str, name: str, file: BufferedRandom, size: int, seconds: float) -> str:
    """Request the missing bytes as long as there is progress. Returns the result of the last request."""
    result, progress_at = "nothing", time.monotonic()
    for _ in backoff(seconds, first=0.1):
        before = file.tell()
        result = _fetch(http, url, name, file)
        if file.tell() != before:
            progress_at = time.monotonic()
        if file.tell() >= size or result.startswith("refused") or time.monotonic() - progress_at > STALLED_SECONDS:
            break
    return result


def _fetch(http: httpx.Client, url: str, name: str, file: BufferedRandom) -> str:
    """Append the missing bytes, as many as arrive. Returns the status or the name of the error.

    PocketBase requires a file token in the address. It expires after a few minutes, so each request gets its own.
    """
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={file.tell()}-"}
    try:
        token = http.post(f"{url}/api/files/token").json()["token"]
        with http.stream(
            "GET", f"{url}{ROUTE}/{quote(name, safe='')}", params={"token": token}, headers=headers
        ) as response:
            if 400 <= response.status_code < 500:
                return f"refused (status {response.status_code})"
            if response.status_code == 200:  # a proxy removed the range, so the whole file is sent again
                file.seek(0)
                file.truncate()
            if response.status_code in (200, 206):
                file.writelines(
                    response.iter_raw()
                )  # unbuffered, so that no received byte is lost when the connection breaks
            return str(response.status_code)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return type(error).__name__


def _has_no_token(record: logging.LogRecord) -> bool:
    return "token=" not in record.getMessage()


# httpx logs the address of every request, and one of ours contains a file token.
logging.getLogger("httpx").addFilter(_has_no_token)


def flush_wal(url: str, session: Login) -> None:
    """Make the server write its whole WAL into its databases, as it does every night (core/base.go).

    A backup copies the files on the disk. If a second process deleted the server's WAL, later writes are only in that
    deleted file, and this saves them. Raises BackupFailed.
    """
    with connect(session) as http:
        result = attempt(http, "POST", f"{url}/api/crons/__pbDBOptimize__")
        if result.startswith("refused") and "404" not in result:
            raise failed(f"The backend at {url} did not write its WAL to its database.", result)
        # It answers at once. A write of our own then waits for it, because the server has one connection for writes.
        attempt(http, "PATCH", f"{url}{SUPERUSERS}/records/{session.id}", json={"emailVisibility": False})
