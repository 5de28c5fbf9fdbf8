"""A Worker's console output as text: the last lines, then each new one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

from localcloud.cloudflare.api import Api
from localcloud.logs import MASK

SHOWN_BYTES = 64 * 1024
SHORTEST_MASKED = 4
PAUSE = 0.2


async def follow(api: Api, name: str) -> AsyncIterator[str]:
    """Yield lines `LEVEL TIME TEXT`; end when the Worker is deleted."""
    growth = Growth(api.workers.runtime.blobs.logs / f"{name}.jsonl", SHOWN_BYTES)
    while api.records.script(name) is not None:
        if lines := growth.lines():
            secrets = _secrets(api, name)
            yield "".join(filter(None, (_shown(line, secrets) for line in lines)))
        await asyncio.sleep(PAUSE)


def _secrets(api: Api, name: str) -> list[str]:
    """Return the secrets of the newest version and of the serving ones, the longest first."""
    deployment = api.records.deployment(name)
    versions = [api.records.version(name, identifier) for identifier, _ in (deployment.shares if deployment else [])]
    values = {
        value for version in [*versions, api.records.latest(name)] if version for value in version.secrets.values()
    }
    return sorted((value for value in values if len(value) >= SHORTEST_MASKED), key=len, reverse=True)


def _shown(line: bytes, secrets: list[str]) -> str:
    """Format a line; return "" for the rest of a line that started before the shown part."""
    try:
        entry = json.loads(line)
        level, time, text = entry["level"], entry["time"], str(entry["message"])
    except (ValueError, KeyError, TypeError):
        return ""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return f"{level} {time} {text}\n"


class Growth:
    """The lines of a growing file, from so many bytes before its end. A file that got shorter is read again."""

    def __init__(self, file: Path, behind: int) -> None:
        self._file = file
        self._at = max(self._size() - behind, 0)
        self._rest = b""

    def lines(self) -> list[bytes]:
        """Return the lines that were completed since the last call."""
        size = self._size()
        if size < self._at:
            self._at, self._rest = 0, b""
        if size == self._at:
            return []
        with self._file.open("rb") as stream:
            stream.seek(self._at)
            *whole, self._rest = (self._rest + stream.read(size - self._at)).split(b"\n")
        self._at = size
        return whole

    def _size(self) -> int:
        return self._file.stat().st_size if self._file.exists() else 0
