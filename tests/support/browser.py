"""The system's Chromium, driven by playwright (which brings no browser of its own here)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # importing it takes a while, in every process that collects the tests
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page
    from playwright.sync_api._generated import LocatorAssertions

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
# No sandbox: tests also run as root in containers. The rest keeps the browser from calling home.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS = 15_000
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}

Scheme = Literal["light", "dark"]


class BrowserMissing(Exception):
    """No browser is installed; the message says how to get one."""


def program() -> Path:
    """The installed browser. Raises BrowserMissing."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None and not MAC.exists():
        raise BrowserMissing("Pages are tested in Chromium, which is not installed.\n  next: apt-get install chromium")
    return Path(found) if found else MAC


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless browser with an empty profile."""
    from playwright.sync_api import expect as asserting
    from playwright.sync_api import sync_playwright

    asserting.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def expect(found: Locator) -> LocatorAssertions:
    """What playwright asserts of something on a page, waiting for it."""
    from playwright.sync_api import expect as asserting

    return asserting(found)


@dataclass
class Visit:
    """A page of its own (own cookies and storage), and what went wrong on it."""

    page: Page
    problems: list[str] = field(default_factory=list)

    def screenshot(self, name: str) -> None:
        """Kept below $ORACLE_SCREENSHOTS when that is set: they are for looking at."""
        folder = os.environ.get("ORACLE_SCREENSHOTS")
        if folder:
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@contextmanager
def visit(browser: Browser, size: str = "desktop", scheme: Scheme = "light") -> Iterator[Visit]:
    """An empty page in a window of that size. Console errors, refused requests and exceptions become `problems`."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    context.set_default_timeout(TIMEOUT_MS)
    seen = Visit(context.new_page())

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            seen.problems.append(message.text)

    seen.page.on("console", note)
    seen.page.on("pageerror", lambda error: seen.problems.append(str(error)))
    try:
        yield seen
    finally:
        context.close()
