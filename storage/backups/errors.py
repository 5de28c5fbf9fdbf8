"""What goes wrong with backups, said in one sentence that ends in the next thing to do."""

from __future__ import annotations

import errno
from pathlib import Path

from stack_outputs import Owner

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class BackupsError(Exception):
    """A backup could not be taken, kept, found or opened; never holds a key or a credential."""


class Missing(BackupsError):
    """The store has no object of that name."""


class Foreign(BackupsError):
    """What lies among a stack's own and belongs to another."""


def foreign(name: str, theirs: str, owner: Owner) -> Foreign:
    """The sentence for the object `name`, which says that it belongs to the stack `theirs`."""
    return Foreign(
        f"{name} belongs to {theirs or 'nobody'} and lies among what {owner} has kept, so it is left alone; see what "
        f"is its own: oracle backups {owner.stack}"
    )


def disk(error: OSError, path: Path) -> BackupsError:
    """The sentence for what the disk refused at `path`."""
    if error.errno in FULL:
        return BackupsError(f"The disk that holds {path} is full and nothing was kept there; make room (see: df -h).")
    reason = (error.strerror or type(error).__name__).lower()
    return BackupsError(f"{path} cannot be used ({reason}); see who may: ls -ld {path.parent}")
