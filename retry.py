"""Retries with growing pauses and a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator


def backoff(
    seconds: float, first: float = 0.05, longest: float = 2.0, sleep: Callable[[float], object] = time.sleep
) -> Iterator[int]:
    """Yield the number of each attempt until `seconds` have passed, with growing pauses; at least one attempt."""
    end, pause, attempt = time.monotonic() + seconds, first, 0
    while True:
        yield attempt
        attempt += 1
        if time.monotonic() + pause > end:
            return
        sleep(pause)
        pause = min(longest, pause * 1.5)
