"""Errors of the backup store."""

from __future__ import annotations

import errno
import shlex
from pathlib import Path

from errors import First, Fix, Remedy, UserError
from stack_outputs import Owner

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class BackupsError(UserError):
    """A backup could not be taken, stored, found or opened. The text never contains a key or a credential."""


class Missing(BackupsError):
    """The store has no object of that name."""


class Foreign(BackupsError):
    """An object in a stack's folder belongs to another stack."""


def foreign(name: str, theirs: str, owner: Owner) -> Foreign:
    """Return the error for the object `name`, whose owner field is `theirs`."""
    return Foreign(
        f"{name} belongs to {theirs or 'no stack'}, but is stored under {owner}, so it is ignored.",
        Remedy.LIST_BACKUPS,
    )


def disk(error: OSError, path: Path) -> BackupsError:
    """Return the error for a failed disk operation at `path`."""
    if error.errno in FULL:
        problem = f"The disk with {path} is full, so nothing was stored there."
        return BackupsError(problem, First("free some space on it, which `df -h` shows", Remedy.RETRY))
    reason = (error.strerror or type(error).__name__).lower()
    folder = shlex.quote(str(path.parent))
    return BackupsError(f"{path} cannot be used ({reason}).", Fix(f"ls -ld {folder}", "to see who may use its folder"))
