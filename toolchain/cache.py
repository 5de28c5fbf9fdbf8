"""The cache folder of installed parts. A part is made under a temporary name and a lock, and renamed when complete."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from toolchain.errors import DiskFull, ToolError, is_disk_full
from toolchain.progress import say

POLL_SECONDS = 0.1


def root() -> Path:
    """Return $ORACLE_CACHE, or oracle-net below the user's cache folder."""
    named = os.environ.get("ORACLE_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "oracle-net"


def is_inside(path: Path) -> bool:
    """Return whether a path is in the cache: our own programs on PATH are not the user's tools."""
    return path.absolute().is_relative_to(root()) or path.resolve().is_relative_to(root().resolve())


def install(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder `name` of the cache; `make(temporary folder)` creates it when it is missing.

    A second process waits and uses the first one's folder. If `make` fails, nothing is left under `name`.
    """
    final = root() / name
    if final.is_dir():
        return final
    with full_disk_reported(f"getting {name}"), lock(name):
        if final.is_dir():
            return final
        scratch = _scratch(name)
        try:
            made = scratch / "made"
            made.mkdir()
            make(made)
            made.rename(final)
        finally:
            remove(scratch)
    return final


@contextlib.contextmanager
def full_disk_reported(doing: str) -> Iterator[None]:
    """Turn a full disk, or a cache that cannot be written, into a ToolError."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(Path(error.filename or root()), doing) from error
        if isinstance(error, PermissionError):
            raise ToolError(
                f"The cache folder {root()} cannot be written ({error.strerror}).",
                "name another cache folder: `ORACLE_CACHE=/a/folder/of/yours make tools`",
            ) from error
        raise


def disk_full(folder: Path, doing: str) -> DiskFull:
    """Return the error for a program that wrote to `folder` and to the cache; it names the one with less room."""
    fullest = min((root(), folder), key=_room)
    return DiskFull(fullest, doing, movable=is_inside(fullest))


def _room(folder: Path) -> int:
    """Return the free bytes of the disk that holds a folder, or will."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(there).free


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold the lock `name`; print a line when another process has it. The system releases it when the process ends."""
    folder = root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("a+") as file:
        _acquire(file, name)
        _write(file, str(os.getpid()))
        try:
            yield
        finally:
            _write(file, "")


@contextlib.contextmanager
def shared(name: str) -> Iterator[Path]:
    """Share the folder `name` with other processes. It is removed after a success, unless another one uses it.

    After a failure it stays for the next try.
    """
    locks = root() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / f"{name}.lock").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield root() / name
        # Of several that end at once, one gets the lock: a refused one has given up its share.
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(root() / name)


def _acquire(file: IO[str], name: str) -> None:
    """Wait for the lock, and print the process that has it, once that one has written its id."""
    printed = ""
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            if holder not in ("", printed):
                say(f"  {name}: another make (process {holder}) is installing it; waiting for it to end …")
                printed = holder
            time.sleep(POLL_SECONDS)
        else:
            return


def _write(file: IO[str], holder: str) -> None:
    """Replace the content of the lock's file, which names the holder."""
    file.seek(0)
    file.truncate()
    file.write(holder)
    file.flush()


def _scratch(name: str) -> Path:
    """Return a new temporary folder for `name`; those of killed runs are removed (we hold the lock)."""
    import tempfile

    folder = root() / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{name}.*"):
        remove(left)
    return Path(tempfile.mkdtemp(prefix=f"{name}.", dir=folder))


def remove(folder: Path) -> None:
    """Remove a folder with its content, even where Go made it read-only."""
    if not folder.exists():
        return
    for place, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            Path(place).chmod(stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)
