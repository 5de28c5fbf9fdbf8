"""All services at once: a thread for each, and one queue that their entries come out of."""

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
"""How long it is waited for a service's thread to end: it deletes its tail."""
TURN = 0.5


@dataclass(frozen=True)
class Note:
    """A sentence about a stream, for people."""

    text: str


def follow(services: Mapping[str, Callable[[threading.Event], Stream]]) -> Generator[Entry | Note]:
    """What all services say, as it comes. Closed, it ends their streams before it returns.

    `services` make their streams when they are given the event that ends them. Raises what the first of them raises
    that cannot be followed.
    """
    found: queue.Queue[Entry | Note | BaseException] = queue.Queue()
    stop = threading.Event()
    threads = [
        threading.Thread(target=_follow, args=(name, make, stop, found), name=f"tail {name}", daemon=True)
        for name, make in services.items()
    ]
    try:
        for thread in threads:
            thread.start()
        while True:
            try:
                item = found.get(timeout=TURN)  # with a limit: Ctrl-C is heeded between two
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
    name: str, make: Callable[[threading.Event], Stream], stop: threading.Event, found: queue.Queue[Any]
) -> None:
    try:
        for entry in follow_reopening(name, make(stop), stop, partial(_note, found)):
            found.put(entry)
    except BaseException as error:  # raised again in the thread that asked
        found.put(error)


def _note(found: queue.Queue[Any], text: str) -> None:
    found.put(Note(text))
