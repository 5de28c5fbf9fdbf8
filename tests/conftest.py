"""What tests of several folders share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support import browser as browsers


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for a module's tests. No longer: while it runs, playwright holds the thread's event loop."""
    try:
        browsers.program()
    except browsers.BrowserMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    with browsers.launched() as running:
        yield running
