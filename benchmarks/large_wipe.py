"""Benchmark of a large backend: wipe, restore and release: `python -m benchmarks.large_wipe [RECORDS] [MEGABYTES]`.

A network of its own starts on the local cloud, and its backend is filled with 200,000 records and 500 MB of
incompressible files. Then `oracle wipe`, `oracle wipe --undo`, and a release run. Prints the seconds of each, the
duration of the write freeze, and the peak memory of each kind of our processes, which should not depend on the size.
Needs free disk of about eight times the files in the folder for temporary files, and leaves nothing there.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil

from benchmarks.large_backup import FIELDS, FILES, MEGABYTE, RECORDS, rows, store
from clients.http import client, httpx
from tests.live import network
from tests.live.project import Project

KINDS = {
    "pulumi.dynamic": "dynamic providers",
    "pulumi-language-python-exec": "program",
    "cli": "oracle",
}


def fill(project: Project, records: int, files: int) -> None:
    """Fill the running PocketBase's database and storage directly."""
    made = network.admin(project, "POST", "/api/collections", {"name": "letters", "type": "base", "fields": FIELDS})
    database = next((project.root / ".oracle/cloud/apps").rglob("pb_data/data.db"))
    for number in range(files):
        store(database.parent / "storage" / made["id"] / f"{number:015}", "file.bin", os.urandom(MEGABYTE))
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        connection.executemany(
            "INSERT INTO letters (id, text, file, created) VALUES (?, ?, ?, ?)", rows(records, files)
        )


def letters(project: Project) -> int:
    try:
        return int(network.admin(project, "GET", "/api/collections/letters/records?perPage=1")["totalItems"])
    except AssertionError:
        return 0


@contextmanager
def watched(step: str, project: Project) -> Iterator[None]:
    """Print the step's seconds, our processes' peak memory, and the duration of the write freeze."""
    over, peaks, refused = threading.Event(), defaultdict[str, float](float), list[float]()
    url = project.outputs()["apiUrl"]
    threads = [
        threading.Thread(target=_sample, args=(over, project.root, peaks)),
        threading.Thread(target=_probe, args=(over, url, refused)),
    ]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
    print(f"{step:10} {time.monotonic() - start:7.1f} s", end="")
    print(f"   writes refused for {refused[-1] - refused[0]:.1f} s" if refused else "   no write refused")
    for kind, size in sorted(peaks.items()):
        print(f"  {kind:20} peak {size:6.1f} MB")


def _sample(over: threading.Event, root: Path, peaks: defaultdict[str, float]) -> None:
    while not over.wait(0.2):
        for process in psutil.process_iter(["cmdline"]):
            words = " ".join(process.info["cmdline"] or [])
            with suppress(psutil.Error, OSError):
                if process.cwd() != str(root):
                    continue
                for mark, kind in KINDS.items():
                    if mark in words.split() or mark in words:
                        peaks[kind] = max(peaks[kind], process.memory_info().rss / MEGABYTE)
                        break


def _probe(over: threading.Event, url: str, refused: list[float]) -> None:
    """Request a login that does not exist; the write freeze refuses it before the backend gets it."""
    with client(timeout=30) as http:
        while not over.wait(0.1):
            with suppress(httpx.HTTPError):
                answer = http.post(f"{url}/api/login", json={"email": "nobody@example.org", "password": "nobody"})
                if answer.headers.get("x-oracle-hold") == "1":
                    refused.append(time.monotonic())


def main() -> None:
    """Build, wipe, restore, release, and remove everything again."""
    sizes = [int(each) for each in sys.argv[1:3]]
    records, files = sizes + [RECORDS, FILES][len(sizes) :]
    with tempfile.TemporaryDirectory() as folder:
        project = Project.copied(Path(folder) / "project")
        project.seconds = 1800
        try:
            project.oracle("up").well()
            fill(project, records, files)
            _run(project, records)
        finally:
            project.stop()


def _run(project: Project, records: int) -> None:
    with watched("wipe", project):
        project.oracle("wipe", "--yes").well()
    _expect("after the wipe", lambda: letters(project), 0)
    with watched("undo", project):
        project.oracle("wipe", "--undo", "--yes").well()
    _expect("after the undo", lambda: letters(project), records)
    project.edit("services/backend/entrypoint.sh", "exec ", "echo released\nexec ")
    with watched("release", project):
        project.oracle("up").well()
    _expect("after the release", lambda: letters(project), records)
    size = sum(each["size"] for each in network.backups(project)[:1]) / MEGABYTE
    print(f"backup {size:.1f} MB, {records} records")


def _expect(when: str, count: Callable[[], int], expected: int) -> None:
    if (counted := count()) != expected:
        sys.exit(f"{when} there are {counted} records, not {expected}")


if __name__ == "__main__":
    main()
