"""What became of the requests of a load during one operation."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

RESTART = 1012
"""The close code of a service that restarts: the client is to come back."""


@dataclass
class Tally:
    """Counts from `began` to `ended`, in seconds of the monotonic clock. Clients count from threads of their own."""

    operation: str
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    acknowledged: list[str] = field(default_factory=list)
    """Titles of the posts that were answered 201."""
    statuses: Counter[str] = field(default_factory=Counter)
    """`CLIENT STATUS` of every read and write."""
    refused: int = 0
    """Writes that were answered with the refusal of a write freeze."""
    closed: Counter[int] = field(default_factory=Counter)
    """Sockets that were closed, by their close code."""
    failed_reads: Counter[str] = field(default_factory=Counter)
    failed_writes: Counter[str] = field(default_factory=Counter)
    """Writes that were neither acknowledged, nor refused by a freeze, nor cut off with RESTART."""
    failures: list[str] = field(default_factory=list)
    """Each of both, with the second in which it was seen and the reason that the API gave."""
    answered: set[str] = field(default_factory=set)
    """The clients that have had a good answer."""
    last: float = field(default_factory=time.monotonic)
    """When a write through the API was acknowledged last."""
    longest: float = 0.0
    """Seconds between two such writes, at most."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledge(self, client: str, title: str, *, through_api: bool = True) -> None:
        with self._lock:
            self.acknowledged.append(title)
            self._count(client, "201")
            if through_api:
                now = time.monotonic()
                self.longest, self.last = max(self.longest, now - self.last), now

    def read(self, client: str, status: str, reason: str = "") -> None:
        with self._lock:
            self._count(client, status)
            if status not in ("200", f"closed {RESTART}"):
                self.failed_reads[f"{client} {status}"] += 1
                self._note(client, status, reason)

    def refuse(self, client: str) -> None:
        with self._lock:
            self.refused += 1
            self._count(client, "refused")

    def fail(self, client: str, status: str, reason: str = "") -> None:
        """A write that was not acknowledged, for another reason than a freeze's refusal."""
        with self._lock:
            self._count(client, status)
            if status != f"closed {RESTART}":
                self.failed_writes[f"{client} {status}"] += 1
                self._note(client, status, reason)

    def count(self, client: str, status: str) -> None:
        """A request that is neither a read nor a write of a post."""
        with self._lock:
            self.statuses[f"{client} {status}"] += 1

    def close(self, code: int) -> None:
        with self._lock:
            self.closed[code] += 1

    def titles(self) -> set[str]:
        with self._lock:
            return set(self.acknowledged)

    def has_answered(self) -> set[str]:
        with self._lock:
            return set(self.answered)

    def end(self) -> None:
        with self._lock:
            self.ended = time.monotonic()
            self.longest = max(self.longest, self.ended - self.last)

    def _note(self, client: str, status: str, reason: str) -> None:
        self.failures.append(f"{time.monotonic() - self.began:.2f} s {client}: {status} {reason}".rstrip())

    def _count(self, client: str, status: str) -> None:
        self.statuses[f"{client} {status}"] += 1
        if status in ("200", "201"):
            self.answered.add(client)
