"""Log files that can be followed while they grow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

CHUNK = 64 * 1024
MASK = "********"


class LogFile:
    """A text file that one side appends lines to and others follow.

    Lines begin with the component's name and the time, like App Platform's. Known secrets are masked before they are
    written.
    """

    def __init__(self, path: Path, component: str, secrets: Sequence[str]) -> None:
        self._component = component
        self._secrets = secrets
        self._grown = asyncio.Event()
        self.open = True
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def line(self, text: str) -> None:
        """Append one line and wake the followers. Does nothing when the log is closed."""
        if not self.open:
            return
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self._file.write(f"{self._component} {time} {text}\n")
        self._file.flush()
        self._wake()

    def close(self) -> None:
        """Close the log: followers end after the last line."""
        if self.open:
            self.open = False
            self._file.close()
            self._wake()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    @property
    def grown(self) -> asyncio.Event:
        """Return the event that the next line or the end sets. Take it before reading, or a line can be missed."""
        return self._grown


class LogBook:
    """All log files below a folder; open ones are known by path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, LogFile] = {}
        self._expected: dict[str, asyncio.Event] = {}

    def expect(self, name: str) -> None:
        """Announce a log: followers already wait for its first line."""
        self._expected.setdefault(name, asyncio.Event())

    def settle(self, name: str) -> None:
        """End the announcement: the log has started, or never will."""
        if event := self._expected.pop(name, None):
            event.set()

    def begin(self, name: str, component: str, secrets: Sequence[str]) -> LogFile:
        """Open a log for appending."""
        known = self._open.get(name)
        if known and known.open:
            return known
        self._open[name] = LogFile(self.folder / name, component, secrets)
        self.settle(name)
        return self._open[name]

    def growing(self, name: str) -> bool:
        """Return whether the log is open or announced."""
        return name in self._expected or (name in self._open and self._open[name].open)

    def exists(self, name: str) -> bool:
        """Return whether the log has any content."""
        return (self.folder / name).exists()

    def close(self) -> None:
        """End all followers."""
        for name in list(self._expected):
            self.settle(name)
        for log in self._open.values():
            log.close()

    async def read(self, name: str, follow: bool, tail: int) -> AsyncIterator[str]:
        """Yield the log's text in pieces that end at line ends: the last `tail` lines (0: all), then new ones."""
        path = self.folder / name
        if follow and name in self._expected:
            await self._expected[name].wait()
        if not path.exists():
            return
        with path.open(encoding="utf-8", errors="replace") as file:
            if tail:
                yield "".join(file.readlines()[-tail:])
            while True:
                log = self._open.get(name)
                grown = log.grown if follow and log and log.open else None
                while piece := file.read(CHUNK):
                    yield piece + file.readline()
                if grown is None:
                    return
                await grown.wait()
