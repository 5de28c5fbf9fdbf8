"""Replace a stack's file atomically, or restore it byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atomic_write import atomic_write


def replace(file: Path, content: bytes) -> None:
    """Replace the file's content atomically."""
    atomic_write(file, content, file.stat().st_mode & 0o777)


@contextmanager
def put_back(file: Path, before: bytes) -> Iterator[None]:
    """Restore the file if the block raises anything, including the user's interrupt."""
    try:
        yield
    except BaseException:
        replace(file, before)
        raise
