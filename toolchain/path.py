"""The user's programs on PATH, without those that this project put there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from toolchain import cache, pins


def which(program: str) -> Path | None:
    """Return the user's own program of that name: not one of our cache or of .venv, which `oracle env` puts on PATH."""
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder and not _ours(Path(folder))]
    path = shutil.which(program, path=os.pathsep.join(folders))
    return Path(path).absolute() if path else None


def signature(program: str) -> str:
    """Return a text that changes when another program of that name is first on PATH, or it was upgraded."""
    path = which(program)
    if path is None:
        return f"{program}: none"
    about = path.stat()
    return f"{path} {about.st_mtime_ns} {about.st_size}"


def _ours(folder: Path) -> bool:
    return cache.is_inside(folder) or folder == pins.PROJECT / ".venv" / "bin"
