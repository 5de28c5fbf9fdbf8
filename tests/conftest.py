"""What tests of several folders share."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # importing it takes a third of a second, and most tests open no page
    from playwright.sync_api import Browser


FIRST = (
    "live/test_wipe.py",
    "services/test_write_gate_in_a_freeze.py",
    "clients/pocketbase/test_freeze.py",
    "localcloud/test_recovery.py",
    "live/test_network.py",
    "live/test_bad_input.py",
)
"""The longest files: when they begin first, no process is left with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, and leave the order otherwise."""
    turns = {Path(__file__).parent / name: turn for turn, name in enumerate(FIRST)}
    items.sort(key=lambda item: turns.get(item.path, len(FIRST)))


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: a background job of a shell ignores SIGINT, and so would its children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep modules and collected tests from the garbage collector: they live as long as the process.

    It would walk through these millions of objects time and again, in collection and in each test that allocates much.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for a module's tests. No longer: while it runs, playwright holds the thread's event loop."""
    from tests.support import browser as browsers

    try:
        browsers.program()
    except browsers.BrowserMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    with browsers.launched() as running:
        yield running


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 server on loopback."""
    from moto.server import ThreadedMotoServer  # takes a second

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
