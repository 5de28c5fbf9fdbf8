"""The database files that a project's running PocketBases have open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

DELETED = " (deleted)"
PROCESSES = Path("/proc")


def backends(root: Path) -> Iterator[psutil.Process]:
    """The PocketBase processes of the local clouds of the project at `root`."""
    for process in psutil.process_iter(["name", "cmdline"]):
        words = process.info["cmdline"] or []
        if process.info["name"] == "pocketbase" and any(word.startswith(f"{root}/") for word in words):
            yield process


def deleted_files(root: Path) -> list[str]:
    """The database files that a running PocketBase holds open although they are deleted.

    What is written to such a file is lost with its process. Linux alone shows them; elsewhere none is found.
    """
    found = []
    for process in backends(root):
        found += [f"{process.pid}: {path}" for path in open_files(process.pid) if is_deleted_database(path)]
    return sorted(found)


def open_files(pid: int) -> Iterator[str]:
    """The targets of a process's file descriptors, as Linux tells them."""
    with suppress(OSError):
        for descriptor in (PROCESSES / str(pid) / "fd").iterdir():
            with suppress(OSError):
                yield os.readlink(descriptor)


def is_deleted_database(path: str) -> bool:
    """Whether this is a database, WAL or shared-memory file that is gone. SQLite deletes its temporary files itself."""
    name = Path(path.removesuffix(DELETED)).name
    return path.endswith(DELETED) and name.removesuffix("-wal").removesuffix("-shm").endswith(".db")
