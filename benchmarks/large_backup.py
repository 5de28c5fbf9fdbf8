"""Benchmark of moving a large backend's data: `python -m benchmarks.large_backup [RECORDS] [MEGABYTES]`.

A backend with 200,000 records and 500 MB of incompressible files is built directly in PocketBase's layout. Its backup
is created, downloaded, inspected, uploaded and restored on an empty second backend, and the data of both are compared.
Prints sizes, the seconds of every step and this process's peak memory, which should not depend on the size. Needs free
disk of about eight times the files in the folder for temporary files, and leaves nothing there.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from clients.pocketbase import (
    Login,
    count_records,
    create_backup,
    delete_backup,
    download_backup,
    login,
    restore_backup,
    upload_backup,
)
from storage.backups.archive import inspect
from tests.support.backend import ADMIN, Backend, Person
from toolchain.tools import locate

RECORDS, FILES = 200_000, 500
NAME = "large.zip"
MEGABYTE = 1_000_000
ENVIRONMENT = {"PB_ADMIN_EMAIL": ADMIN[0], "PB_ADMIN_PASSWORD": ADMIN[1]}
FIELDS = [
    {"name": "text", "type": "text"},
    {"name": "file", "type": "file", "maxSelect": 1, "maxSize": 2 * MEGABYTE},
    {"name": "created", "type": "autodate", "onCreate": True},
]
VOLATILE = frozenset({"_authOrigins", "_mfas", "_otps"})
"""Collections that PocketBase writes to when somebody logs in."""
T = TypeVar("T")


def measured(step: str, work: Callable[[], T]) -> T:
    """Run a step and print its seconds, and the process's peak memory so far."""
    start = time.monotonic()
    result = work()
    print(f"{step:24} {time.monotonic() - start:7.2f} s   peak {peak():6.1f} MB")
    return result


def peak() -> float:
    """Return the peak memory in megabytes; Linux counts in kibibytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE


def build(backend: Backend, records: int, files: int) -> None:
    """Fill a stopped backend with records; `files` of them, the first ones, have a file of one megabyte."""
    collection = {"name": "letters", "type": "base", "fields": FIELDS}
    made = Person(backend.url, session_of(backend).token).ask("POST", "/api/collections", json=collection)
    storage = backend.folder / "pb_data" / "storage" / made.raise_for_status().json()["id"]
    backend.stop()
    for number in range(files):
        store(storage / f"{number:015}", "file.bin", os.urandom(MEGABYTE))
    with closing(sqlite3.connect(backend.folder / "pb_data" / "data.db")) as database, database:
        database.executemany("INSERT INTO letters (id, text, file, created) VALUES (?, ?, ?, ?)", rows(records, files))
    backend.start()


def rows(records: int, files: int) -> Iterator[tuple[str, str, str, str]]:
    for number in range(records):
        text = hashlib.sha256(str(number).encode()).hexdigest() * 4
        yield f"{number:015}", text, "file.bin" if number < files else "", "2026-01-01 00:00:00.000Z"


def store(folder: Path, name: str, content: bytes) -> None:
    """Write a file as PocketBase stores it, with its description beside it."""
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    description = {"user.content_type": "application/octet-stream", "user.metadata": {"original-filename": name}}
    (folder / f"{name}.attrs").write_text(json.dumps(description))


def session_of(backend: Backend) -> Login:
    session = login(backend.url, *ADMIN)
    if session is None:
        sys.exit(f"The backend at {backend.url} refuses its admin; see {backend.log}")
    return session


def lasting(backend: Backend) -> dict[str, int]:
    counted = count_records(backend.url, session_of(backend))
    return {name: number for name, number in counted.items() if name not in VOLATILE}


def move(origin: Backend, target: Backend, folder: Path) -> None:
    """Move the origin's data to the target, in measured steps."""
    archive, source, session = folder / NAME, session_of(origin), session_of(target)
    print(f"{'before':24} {'':9}   peak {peak():6.1f} MB")
    before = measured("count", lambda: lasting(origin))
    measured("create", lambda: create_backup(origin.url, source, NAME))
    measured("download", lambda: download_backup(origin.url, source, NAME, archive))
    contents = measured("inspect", lambda: inspect(archive, folder))
    measured("upload", lambda: upload_backup(target.url, session, archive, NAME))
    measured("restore", lambda: restore_backup(target.url, session, NAME, relogin=lambda: session_of(target)))
    after = measured("count", lambda: lasting(target))
    measured("delete", lambda: delete_backup(target.url, session_of(target), NAME))
    size = archive.stat().st_size / MEGABYTE
    print(f"backup {size:.1f} MB, {contents.files} files, {sum(before.values())} records")
    if before != after or any(contents.records[name] != number for name, number in before.items()):
        sys.exit(f"The data differs: {before} before, {after} after, {contents.records} in the backup")


def main() -> None:
    """Build, move, and remove everything again."""
    sizes = [int(each) for each in sys.argv[1:3]]
    records, files = sizes + [RECORDS, FILES][len(sizes) :]
    with tempfile.TemporaryDirectory() as name:
        folder, program = Path(name), locate().pocketbase
        with (
            Backend(folder / "a", program, ENVIRONMENT) as origin,
            Backend(folder / "b", program, ENVIRONMENT) as target,
        ):
            measured("build", lambda: build(origin, records, files))
            move(origin, target, folder)


if __name__ == "__main__":
    main()
