"""Atomic files, temporary folders, and streams that are copied in chunks."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from storage.backups.errors import disk

CHUNK = 1 << 20
"""Bytes of a chunk, of which one is in memory at a time."""
PART = ".part"
ROOM = "backup-"
STALE = 24 * 3600.0
"""Age in seconds at which a temporary file or folder counts as abandoned."""


class Source(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class Sink(Protocol):
    def write(self, data: bytes, /) -> int: ...


class Digest:
    """A sink that counts and hashes its bytes, and passes them on to `beyond` if there is one."""

    def __init__(self, beyond: Sink | None = None) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._beyond = beyond

    def write(self, data: bytes, /) -> int:
        if self._beyond is not None:
            self._beyond.write(data)
        self._sha256.update(data)
        self.size += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()


def copy(source: Source, sink: Sink) -> None:
    while piece := source.read(CHUNK):
        sink.write(piece)


def digest(path: Path) -> Digest:
    """Return size and SHA-256 of a file. Raises BackupsError when it cannot be read."""
    result = Digest()
    try:
        with path.open("rb") as source:
            copy(source, result)
    except OSError as error:
        raise disk(error, path) from None
    return result


@contextmanager
def whole(target: Path) -> Iterator[Sink]:
    """Write a file atomically: `target` (mode 0600) appears with all its bytes on the disk, or not at all.

    Raises BackupsError when the disk fails. When the block raises, no file remains.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}{PART}")
    try:
        private_folder(target.parent)
        with _Unbuffered(part) as sink:
            yield sink
            sink.sync()
        part.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise disk(error, target) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def private_folder(folder: Path) -> None:
    """Create `folder` and its missing parents with mode 0700. Existing folders are unchanged."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def room(scratch: Path) -> Iterator[Path]:
    """Create a temporary folder below `scratch` (mode 0700), and delete it at the end of the block.

    Folders of killed processes are deleted after a day, because they may contain unencrypted data.
    """
    try:
        private_folder(scratch)
        for old in scratch.glob(f"{ROOM}*"):
            if _stale(old):
                shutil.rmtree(old, ignore_errors=True)
        folder = tempfile.TemporaryDirectory(prefix=ROOM, dir=scratch)
    except OSError as error:
        raise disk(error, scratch) from None
    with folder as name:
        yield Path(name)


def sweep(folder: Path) -> None:
    """Delete the partial files in `folder` that killed processes left behind."""
    for part in folder.glob(f".*{PART}"):
        if _stale(part):
            with suppress(OSError):
                part.unlink()


def _stale(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > STALE
    except OSError:
        return False


class _Unbuffered:
    """A new file without a buffer, so that a full disk raises at the write that hits it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def __enter__(self) -> _Unbuffered:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._file)

    def write(self, data: bytes, /) -> int:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        return len(data)

    def sync(self) -> None:
        os.fsync(self._file)


def _sync_folder(folder: Path) -> None:
    """Sync the folder, so that a rename in it survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
