"""Progress for a person who waits: one line that changes on a terminal, otherwise a line now and then."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TextIO

PLAIN_EVERY = 15.0
TERMINAL_EVERY = 0.5


def say(text: str) -> None:
    """Print one line at once."""
    print(text, file=sys.stderr, flush=True)


def spent(seconds: float) -> str:
    """Return "42 s" or "3 min 05 s"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Step:
    """One step of an installation: prints a line when it starts, while it lasts, and when it is done.

    `detail` may be set at any time from the thread that does the work.
    """

    def __init__(self, doing: str, out: TextIO | None = None) -> None:
        self.doing = doing
        self.detail = ""
        self._out = out or sys.stderr
        self._terminal = self._out.isatty()
        self._done = threading.Event()
        self._started = time.monotonic()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Step:
        self._write(f"  {self.doing} …")
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._ticker.join()
        took = spent(time.monotonic() - self._started)
        word = "done" if kind is None else "stopped"
        self._write(f"  {self.doing}: {word} after {took}", end="\n")

    def _tick(self) -> None:
        every = TERMINAL_EVERY if self._terminal else PLAIN_EVERY
        while not self._done.wait(every):
            detail = f"{self.detail}, " if self.detail else ""
            self._write(f"  {self.doing}: {detail}{spent(time.monotonic() - self._started)}")

    def _write(self, text: str, end: str = "") -> None:
        if self._terminal:
            self._out.write(f"\r\x1b[K{text}{end}")
        else:
            self._out.write(f"{text}\n")
        self._out.flush()
