"""The local cache of release archives, in `.oracle/releases/<kind>/<digest>`.

An update puts the bytes that it deploys here, and then into the stack's store. The bytes that a receipt names are
downloaded from the store to here.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from atomic_write import atomic_write
from storage.releases.items import Item

FOLDER = ".oracle/releases"
UNUSED_SECONDS = 30 * 24 * 3600.0
"""Bytes that were not used for this time are deleted. They can be downloaded again."""


def place(project: Path, item: Item) -> Path:
    """Return the path of the item's bytes, whether the file exists or not."""
    return project / FOLDER / item.name


def stash(project: Path, item: Item, content: bytes) -> None:
    """Write the bytes atomically. If the file exists, mark it as used."""
    target = place(project, item)
    if target.is_file():
        os.utime(target)
        return
    private = project / ".oracle"
    private.mkdir(exist_ok=True, mode=0o700)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    atomic_write(target, content)


def sweep(project: Path) -> None:
    """Delete files that were not used for UNUSED_SECONDS, and partial files of killed processes."""
    for path in (project / FOLDER).glob("*/*"):
        try:
            if time.time() - path.stat().st_mtime > UNUSED_SECONDS:
                path.unlink()
        except OSError:
            continue  # another process deleted it
