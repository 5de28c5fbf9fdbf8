"""The last requests that the control plane answered, without bodies, query strings and tokens."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass

KEPT = 2000


@dataclass(frozen=True)
class Entry:
    """One answered request; `status` 0 is a dropped connection, `ms` the time to the last byte."""

    time: str
    method: str
    path: str
    status: int
    ms: float


class RequestLog:
    """A ring of the last requests, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._count = 0

    def add(self, entry: Entry) -> None:
        """Append an entry."""
        self._entries.append(entry)
        self._count += 1

    def since(self, number: int) -> tuple[int, list[dict[str, str | int | float]]]:
        """Return the newest number, and the entries after `number`; all entries for a number of another start."""
        fresh = self._count - number if number <= self._count else self._count
        return self._count, self.listing()[-fresh:] if fresh else []

    def listing(self) -> list[dict[str, str | int | float]]:
        """Return all entries as JSON objects."""
        return [asdict(entry) for entry in self._entries]

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()
