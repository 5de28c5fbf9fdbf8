"""The pages that people see: both sites, the stack's page, the local cloud's page. Each test can run alone."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live.project import Project
from tests.live.test_network import make_post
from tests.support.browser import expect, visit
from tests.support.looks import overflow, overlaps, spills

if TYPE_CHECKING:  # importing it takes a while, in every process that collects the tests
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.live, pytest.mark.browser, pytest.mark.slow]


def test_a_post_is_shown_on_both_sites(project: Project, browser: Browser) -> None:
    outputs = project.outputs()
    make_post(outputs["apiUrl"], "Seen by people")
    for service in ("web", "universe"):
        with visit(browser) as seen:
            seen.page.goto(outputs[f"{service}Url"])
            expect(seen.page.get_by_text("Seen by people").first).to_be_visible()
            seen.screenshot(f"live-{service}")
            assert seen.problems == []


def test_a_deep_link_shows_the_single_page_application(project: Project, browser: Browser) -> None:
    with visit(browser, "phone") as seen:
        seen.page.goto(f"{project.outputs()['webUrl']}/about")
        expect(seen.page.get_by_role("heading").first).to_be_visible()
        assert seen.problems == []


def test_the_stack_page_is_written_to_one_file(project: Project, browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert str(file) in project.oracle("page", "--html", str(file)).well().output
    secret = project.outputs()["adminPassword"]
    assert secret not in file.read_text()
    with visit(browser, "phone", "dark") as seen:
        seen.page.goto(file.as_uri())
        expect(seen.page.locator("#now .badge")).to_have_text("healthy")
        expect(seen.page.locator("article h3")).to_have_text(["backend", "api", "universe", "web"])
        expect(seen.page.locator("svg.graph:visible .name", has_text="universe")).to_be_visible()
        expect(seen.page.locator("#runs details").first.locator("img")).to_be_visible()
        expect(seen.page.locator("#history tr")).to_have_count(2)
        seen.screenshot("live-page")
        assert seen.page.locator(".problem").count() == 0
        assert overlaps(seen.page) == spills(seen.page) == []
        assert overflow(seen.page) <= 0
        assert seen.problems == []


def test_the_stack_page_is_served_until_ctrl_c(project: Project, browser: Browser) -> None:
    process = project.start_oracle("page")
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with visit(browser) as seen:
            seen.page.goto(address)
            expect(seen.page.locator("#now .badge")).to_have_text("healthy")
            seen.screenshot("live-page-desktop")
            assert seen.problems == []
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in rest


def test_the_local_clouds_page_shows_workers_apps_and_requests(project: Project, browser: Browser) -> None:
    address = project.oracle("cloud", "console").well().output.strip()
    with visit(browser) as seen:
        seen.page.goto(address)
        expect(seen.page.locator("#workers h3")).to_have_count(3)
        expect(seen.page.locator("#apps .badge", has_text="ACTIVE")).to_be_visible()
        expect(seen.page.locator("#log")).to_contain_text("Server started")
        make_post(project.outputs()["apiUrl"], "Coming while we look")
        expect(seen.page.locator("#lines")).to_contain_text("oracle-universe-api")
        for each in seen.page.locator("#workers details, #apps details").all():
            each.locator("summary").click()
        seen.screenshot("live-cloud")
        shown = seen.page.content()
        assert project.outputs()["adminPassword"] not in shown
        assert overlaps(seen.page) == []
        assert seen.problems == []
