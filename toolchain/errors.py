"""What a user may be told: one sentence that names what is wrong, and the next command to type."""

from __future__ import annotations

import errno
from pathlib import Path

NEXT = "make tools"


class ToolError(Exception):
    """Something could not be had. `sentence` says what; `next` is the command to type."""

    def __init__(self, sentence: str, next_command: str = NEXT) -> None:
        super().__init__(f"{sentence}\n  next: {next_command}")
        self.sentence = sentence
        self.next = next_command


class ToolMissing(ToolError):
    """A tool was asked for that is not there (yet)."""


class DiskFull(ToolError):
    """A folder's disk is full. The cache may be put elsewhere, `movable`; other folders may not."""

    def __init__(self, folder: Path, doing: str, *, movable: bool = True) -> None:
        advice = (
            "Free some space there, or name a cache folder on a larger disk" if movable else "Free some space there"
        )
        super().__init__(
            f"The disk that holds {folder} is full ({doing}); nothing half-made was kept. {advice}.",
            "ORACLE_CACHE=/larger/disk/oracle-net make tools" if movable else NEXT,
        )


class Unreachable(Exception):
    """A place on the internet does not answer; another source is tried."""


# What programs print when a disk is full: Go, Python and tar; npm and uv name the code or the number.
_FULL_MARKS = ("no space left on device", "enospc", "disk quota exceeded", "os error 28", "not enough space")


def says_disk_full(text: str) -> bool:
    """Whether a program's output says that the disk is full."""
    lowered = text.lower()
    return any(mark in lowered for mark in _FULL_MARKS)


def is_disk_full(error: OSError) -> bool:
    """Whether the system says that the disk, or the user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
