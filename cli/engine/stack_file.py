"""Replace a stack's file atomically, or restore it byte for byte."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace(file: Path, content: bytes) -> None:
    """Replace the file's content atomically."""
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        scratch.write_bytes(content)
        scratch.chmod(file.stat().st_mode & 0o777)
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def put_back(file: Path, before: bytes) -> Iterator[None]:
    """Restore the file if the block raises anything, including the user's interrupt."""
    try:
        yield
    except BaseException:
        replace(file, before)
        raise
