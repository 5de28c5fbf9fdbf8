"""Follow all services in parallel: one thread for each, and one queue for all entries."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cli.tail.model import Entry
from cli.tail.reopen import Opened, follow_reopening

Stream = Callable[[], Iterator[Entry | Opened]]
END_SECONDS = 15.0
"""The time limit for a service's thread to delete its tail and end."""
TURN = 0.5


@dataclass(frozen=True)
class Note:
    """A sentence about a stream, for the terminal."""

    text: str


def follow(services: Mapping[str, Callable[[threading.Event], Stream]]) -> Generator[Entry | Note]:
    """Yield the entries of all services as they arrive. Closing the generator ends their streams first.

    Each value of `services` makes a stream from the event that ends it. Raises the exception of the first service that
    cannot be followed.
    """
    items: queue.Queue[Entry | Note | BaseException] = queue.Queue()
    stop = threading.Event()
    threads = [
        threading.Thread(target=_follow, args=(name, make, stop, items), name=f"tail {name}", daemon=True)
        for name, make in services.items()
    ]
    try:
        for thread in threads:
            thread.start()
        while True:
            try:
                item = items.get(timeout=TURN)  # with a timeout, so that Ctrl-C is handled between two
            except queue.Empty:
                continue
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(END_SECONDS)


def _follow(
    name: str, make: Callable[[threading.Event], Stream], stop: threading.Event, items: queue.Queue[Any]
) -> None:
    try:
        for entry in follow_reopening(name, make(stop), stop, partial(_note, items)):
            items.put(entry)
    except BaseException as error:  # raised again in the calling thread
        items.put(error)


def _note(items: queue.Queue[Any], text: str) -> None:
    items.put(Note(text))
