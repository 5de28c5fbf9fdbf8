"""Waiting for what others do: often at first, then less and less often, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator


def backoff(
    seconds: float, first: float = 0.05, longest: float = 2.0, sleep: Callable[[float], object] = time.sleep
) -> Iterator[int]:
    """Counts attempts until `seconds` have passed, waiting a little longer between them each time; one at least."""
    end, pause, attempt = time.monotonic() + seconds, first, 0
    while True:
        yield attempt
        attempt += 1
        if time.monotonic() + pause > end:
            return
        sleep(pause)
        pause = min(longest, pause * 1.5)
