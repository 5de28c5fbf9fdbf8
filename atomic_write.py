"""Write a file that readers see with its old or its new content, and never in between."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

PART = ".part"
"""The ending of a file that is being written."""


def atomic_write(file: Path, content: bytes, mode: int = 0o600) -> None:
    """Write `content` to a new file beside `file`, with the permissions `mode`, and rename it. Raises OSError."""
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}{PART}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
            out.write(content)
        part.chmod(mode)  # whatever the umask
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
