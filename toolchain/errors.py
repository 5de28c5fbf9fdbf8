"""Errors for the user: one sentence with the problem, and the next command to type."""

from __future__ import annotations

import errno
from pathlib import Path

NEXT = "make tools"


class ToolError(Exception):
    """A part could not be installed. `sentence` is the problem; `next` is the command to type."""

    def __init__(self, sentence: str, next_command: str = NEXT) -> None:
        super().__init__(f"{sentence}\n  next: {next_command}")
        self.sentence = sentence
        self.next = next_command


class ToolMissing(ToolError):
    """A requested tool is not installed (yet)."""


class DiskFull(ToolError):
    """A folder's disk is full. The cache can be moved, `movable`; other folders cannot."""

    def __init__(self, folder: Path, doing: str, *, movable: bool = True) -> None:
        advice = (
            "Free some space there, or name a cache folder on a larger disk" if movable else "Free some space there"
        )
        super().__init__(
            f"The disk that holds {folder} is full ({doing}); nothing half-made was kept. {advice}.",
            "ORACLE_CACHE=/larger/disk/oracle-net make tools" if movable else NEXT,
        )


class Unreachable(Exception):
    """An internet host does not answer; another source is tried."""


# Messages of programs about a full disk: Go, Python and tar; npm and uv print the code or the number.
_FULL_MARKS = ("no space left on device", "enospc", "disk quota exceeded", "os error 28", "not enough space")


def says_disk_full(text: str) -> bool:
    """Return whether a program's output reports a full disk."""
    lowered = text.lower()
    return any(mark in lowered for mark in _FULL_MARKS)


def is_disk_full(error: OSError) -> bool:
    """Return whether the error is a full disk, or the user's quota of it."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
