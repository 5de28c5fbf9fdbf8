"""A stack's file, given another content at once, and put back byte for byte."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace(file: Path, content: bytes) -> None:
    """Gives the file this content, at once."""
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        scratch.write_bytes(content)
        scratch.chmod(file.stat().st_mode & 0o777)
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def put_back(file: Path, before: bytes) -> Iterator[None]:
    """Whatever goes wrong inside, and be it the user who interrupts: the file is what it was."""
    try:
        yield
    except BaseException:
        replace(file, before)
        raise
