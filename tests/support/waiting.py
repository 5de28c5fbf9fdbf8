"""Waiting for a condition, with back-off and a limit; never for a fixed time."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")
FIRST_PORT, LAST_PORT = 10_000, 32_000
PROCESSES = 16
"""So many of pytest's processes share the ports between them."""


def until(condition: Callable[[], T | None], what: str, seconds: float = 20.0) -> T:
    """The condition's first true value. Raises TimeoutError naming `what` when there is none in time."""
    pause, deadline = 0.005, time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def free_port() -> int:
    """A loopback port that nobody listens on, that this process has not had yet and no other test process gets.

    Below the ports that systems give to outgoing connections: one of those may be taken before a server listens on it.
    """
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("this test process has used up its ports")


def _own_ports() -> Iterator[int]:
    """The ports of one of pytest's processes, from anywhere among them: another run may be at work on this machine."""
    own = range(FIRST_PORT + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")), LAST_PORT, PROCESSES)
    begin = random.randrange(len(own))
    return itertools.chain(own[begin:], own[:begin])


_ports = _own_ports()
