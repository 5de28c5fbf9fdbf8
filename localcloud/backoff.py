"""Growing pauses between attempts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator


def pauses(first: float, longest: float, growth: float = 2.0) -> Iterator[float]:
    """Yield pauses in seconds that grow from `first` to `longest`, without end."""
    pause = first
    while True:
        yield pause
        pause = min(pause * growth, longest)


def attempts(first: float, longest: float, seconds: float = math.inf, growth: float = 2.0) -> Iterator[float]:
    """Yield the pause before each attempt: 0 before the first one. End when the next pause would pass `seconds`."""
    end = time.monotonic() + seconds
    yield 0.0
    for pause in pauses(first, longest, growth):
        if time.monotonic() + pause > end:
            return
        yield pause
