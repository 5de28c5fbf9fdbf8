"""Follow a stream that may end: open it again, and give up after repeated failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import TypeVar

from cli.ui.errors import CommandError
from errors import UserError

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds of attempts to open a stream again."""
FIRST_PATIENCE = 5.0
"""The same for the first stream, because a person waits for it."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
STEADY = 30.0
"""Seconds after which a stream counts as stable."""


class StreamLost(UserError):
    """A stream has ended or could not be opened."""


class Opened:
    """The first item of an opened stream."""


def follow_reopening(
    service: str,
    stream: Callable[[], Iterator[T | Opened]],
    stop: Event,
    note: Callable[[str], object],
    *,
    patience: float = PATIENCE,
) -> Iterator[T]:
    """Yield the items of a stream, and of the next one after StreamLost, until `stop` is set.

    `note` gets a sentence when a stream is lost and when it is open again. Raises CommandError if no stream could be
    opened for `patience` seconds.
    """
    why: StreamLost | None
    pause, closed, left, why = FIRST_PAUSE, time.monotonic(), min(patience, FIRST_PATIENCE), None
    while not stop.is_set():
        opened: float | None = None
        try:
            for item in stream():
                if not isinstance(item, Opened):
                    yield item
                    continue
                opened, left = time.monotonic(), patience
                if why:
                    note(f"{service}: followed again.")
                why = None
        except StreamLost as lost:
            if opened is not None:
                note(f"{service}: {lost} Opening it again ...")
            why = lost
        now = time.monotonic()
        if opened is not None:
            closed = now
            pause = FIRST_PAUSE if now - opened > STEADY else pause
        elif now - closed > left and not stop.is_set():
            raise CommandError(f"{service} cannot be followed.", cause=why or "")
        stop.wait(pause)
        pause = min(LONGEST_PAUSE, pause * 2)
