"""Errors for the user: a sentence with the problem, and a fix."""

from __future__ import annotations

import errno
from pathlib import Path

FIX = "run `make tools`"


class ToolError(Exception):
    """A tool could not be installed. `problem` is a sentence, or one with the end of a program's output."""

    def __init__(self, problem: str, fix: str = FIX) -> None:
        separator = "\n" if "\n" in problem else " "
        super().__init__(f"{problem}{separator}Fix: {fix}.")
        self.problem = problem
        self.fix = fix


class ToolMissing(ToolError):
    """A requested tool is not installed (yet)."""


class DiskFull(ToolError):
    """A folder's disk is full. The cache can be moved, `movable`; other folders cannot."""

    def __init__(self, folder: Path, doing: str, *, movable: bool = True) -> None:
        fix = f"free some space there, then {FIX}"
        if movable:
            fix += "; or put the cache on a larger disk: `ORACLE_CACHE=/larger/disk/oracle-net make tools`"
        super().__init__(f"The disk that holds {folder} is full ({doing}), so nothing was installed.", fix)


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
