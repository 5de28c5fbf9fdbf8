"""A post made through the API, seen on both pages as a person sees them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.live.project import Project
from tests.live.test_network import make_post
from tests.support.browser import visit

pytestmark = [pytest.mark.live, pytest.mark.browser]


def test_a_post_is_on_both_pages(project: Project, browser: Browser) -> None:
    outputs = project.outputs()
    make_post(outputs["apiUrl"], "Seen by people")
    for service in ("web", "universe"):
        with visit(browser) as seen:
            seen.page.goto(outputs[f"{service}Url"])
            expect(seen.page.get_by_text("Seen by people").first).to_be_visible()
            seen.screenshot(f"live-{service}")
            assert seen.problems == []


def test_a_deep_link_is_answered_by_the_single_page(project: Project, browser: Browser) -> None:
    with visit(browser, "phone") as seen:
        seen.page.goto(f"{project.outputs()['webUrl']}/about")
        expect(seen.page.get_by_role("heading").first).to_be_visible()
        assert seen.problems == []
