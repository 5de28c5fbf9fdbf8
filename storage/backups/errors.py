"""Errors of the backup store. Each is one sentence that ends in the next command."""

from __future__ import annotations

import errno
from pathlib import Path

from errors import UserError
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
        f"{name} belongs to {theirs or 'nobody'} and lies among what {owner} has kept, so it is left alone; see what "
        f"is its own: oracle backups {owner.stack}"
    )


def disk(error: OSError, path: Path) -> BackupsError:
    """Return the error for a failed disk operation at `path`."""
    if error.errno in FULL:
        return BackupsError(f"The disk that holds {path} is full and nothing was kept there; make room (see: df -h).")
    reason = (error.strerror or type(error).__name__).lower()
    return BackupsError(f"{path} cannot be used ({reason}); see who may: ls -ld {path.parent}")
