"""The page in a browser: on laptop and phone, in light and dark colours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.dashboard import Content, Run, render
from cli.dashboard.server import Pages, Server
from tests.dashboard.scene import hostile, ordinary
from tests.support.browser import Scheme, Visit, expect, visit
from tests.support.looks import overflow, overlaps, spills

if TYPE_CHECKING:  # importing it takes a while, in every process that collects the tests
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
SCENES = {"ordinary": ordinary, "hostile": hostile}


@contextmanager
def opened(browser: Browser, address: str, size: str, scheme: Scheme = "light") -> Iterator[tuple[Visit, list[str]]]:
    """The page, and all that it asked for."""
    with visit(browser, size, scheme) as seen:
        asked: list[str] = []
        seen.page.on("request", lambda request: asked.append(request.url))
        seen.page.goto(address)
        yield seen, asked


@pytest.mark.parametrize(
    "scene,size,scheme",
    [
        ("ordinary", "desktop", "light"),
        ("ordinary", "desktop", "dark"),
        ("ordinary", "phone", "light"),
        ("ordinary", "phone", "dark"),
        ("hostile", "desktop", "dark"),
        ("hostile", "phone", "light"),
    ],
)
def test_a_written_page_is_complete_and_readable(
    tmp_path: Path, browser: Browser, scene: str, size: str, scheme: Scheme
) -> None:
    file = tmp_path / "page.html"
    file.write_text(render(SCENES[scene]()), encoding="utf-8")
    with opened(browser, file.as_uri(), size, scheme) as (seen, asked):
        seen.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
        seen.screenshot(f"page-{scene}-{size}-{scheme}")
        assert overflow(seen.page) <= 0
        assert overlaps(seen.page) == []
        assert spills(seen.page) == []
        assert seen.problems == []
        assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
        assert seen.page.locator("svg.graph:visible").count() == 1
        assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(247, 245, 240)" if scheme == "light" else "rgb(20, 19, 27)"
        )


class Stack:
    """What is shown, as it changes."""

    def __init__(self) -> None:
        self.content = ordinary()

    def page(self) -> str:
        return render(self.content, live=True)


@contextmanager
def served(stack: Stack) -> Iterator[Server]:
    with Server(Pages(stack.page, fresh=0), "local", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def grown(content: Content, output: str) -> Content:
    first: Run = content.runs[0]
    return replace(content, level="down", runs=[replace(first, output=output), *content.runs[1:]])


def test_new_events_appear_on_the_open_page(browser: Browser) -> None:
    stack = Stack()
    with served(stack) as server, visit(browser) as seen:
        seen.page.clock.install()
        seen.page.goto(server.address)
        running = seen.page.locator("details.row").first
        running.locator("summary").click()
        stack.content = grown(stack.content, "<b>a line that was not there</b>\n")
        seen.page.clock.run_for(11_000)
        expect(running.locator("pre")).to_have_text("<b>a line that was not there</b>")
        expect(seen.page.locator("#now .badge")).to_have_text("down")
        assert seen.page.title() == "local: down"
        assert running.get_attribute("open") is not None  # what was opened stays so
        assert seen.problems == []


def test_a_page_whose_server_has_stopped_says_so(browser: Browser) -> None:
    with visit(browser, "phone") as seen:
        seen.page.clock.install()
        with served(Stack()) as server:
            seen.page.goto(server.address)
        seen.page.clock.run_for(11_000)
        expect(seen.page.locator("#now .lost")).to_be_visible()
        assert seen.page.locator("article").count() == 4
        assert overlaps(seen.page) == []
