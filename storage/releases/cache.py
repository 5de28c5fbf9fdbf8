"""Bytes of releases on this machine, in `.oracle/releases/<kind>/<digest>`.

What an update deploys is put here on its way to the stack's store, and what a receipt names is fetched here from it.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

from storage.releases.items import Item

FOLDER = ".oracle/releases"
UNUSED_SECONDS = 30 * 24 * 3600.0
"""After this time without use bytes are removed; they can be fetched again."""


def place(project: Path, item: Item) -> Path:
    """The file that has the bytes, or would have them."""
    return project / FOLDER / item.name


def stash(project: Path, item: Item, content: bytes) -> None:
    """Puts the bytes there, whole or not at all; what is there already is marked as used."""
    target = place(project, item)
    if target.is_file():
        os.utime(target)
        return
    private = project / ".oracle"
    private.mkdir(exist_ok=True, mode=0o700)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        fresh.touch(mode=0o600)
        fresh.write_bytes(content)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def sweep(project: Path) -> None:
    """Removes what nobody has used for a long time, and what somebody who was killed has left."""
    for path in (project / FOLDER).glob("*/*"):
        try:
            if time.time() - path.stat().st_mtime > UNUSED_SECONDS:
                path.unlink()
        except OSError:
            continue  # another process has removed it
