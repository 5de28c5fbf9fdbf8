"""The HTML document: complete, self-contained, and safe with any names and logs."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from cli.dashboard import Content, render
from cli.dashboard.content import Run
from tests.dashboard.scene import CHART, change, hostile, ordinary
from tests.support.sources import PROJECT

TAGS = (
    "html head meta link title style body header div h1 h2 h3 span p nav a main section ul li article dl dt dd code "
    "details summary time pre img svg g rect text path table thead tbody tr th td wbr"
)
OURS = frozenset(TAGS.split())


class Parsed(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.tags if name in attributes]


def test_every_fact_is_on_the_page() -> None:
    page = Parsed(render(ordinary()))
    for words in (
        "backend", "4 812 ms", "oracle cloud console", "3 hours old", "wipe", "89 s", "failed", "backend-generation",
        "1.2 MB encrypted", "oracle restore g3-20261121T230103Z-4f1a local", "jellyfish-app-g2",
        "writes were refused for 4.1 s", "oracle logs 20261122-011002-9f3a -f", "2026-11-22 01:12 UTC",
    ):  # fmt: skip
        assert words in page.text, words


@pytest.mark.parametrize("live", [False, True])
def test_hostile_content_makes_no_tag_script_or_link(live: bool) -> None:
    page = render(hostile(), live=live)
    page.encode()
    found = Parsed(page)
    assert {tag for tag, _ in found.tags} <= OURS | ({"script"} if live else set())
    assert page.count("<script") == page.count("</script") == int(live)
    assert page.count("<style") == page.count("</style") == 1
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on") or name == "style"]
    assert all(re.match(r"https?://|#", address) for address in found.values("href") if address != "data:,")
    assert not re.search("[\u202a-\u202e\x1b]", page)


@pytest.mark.parametrize("live", [False, True])
def test_the_page_loads_nothing_from_elsewhere(live: bool) -> None:
    page = render(ordinary(), live=live)
    found = Parsed(page)
    assert all(address.startswith("data:image/svg+xml;base64,") for address in found.values("src"))
    (policy,) = [rule for rule in found.values("content") if "default-src" in rule]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert not re.search("unsafe|http|[*]", policy)
    assert ("connect-src 'self'" in policy) is live
    assert ("script-src 'sha256-" in policy) is live
    assert "@import" not in page
    assert "url(" not in page


def test_a_timeline_is_an_embedded_image() -> None:
    """Its style does not affect the page, and no script in it is ever run."""
    (picture,) = Parsed(render(replace(ordinary(), runs=ordinary().runs[1:2]))).values("src")
    assert base64.b64decode(picture.partition(",")[2]).decode() == CHART
    evil = Run(id="x", kind="wipe", who="w", began="b", chart='"><script>alert(1)</script>\x00')
    page = render(replace(ordinary(), runs=[evil]))
    assert "alert(1)" not in page
    assert b"\x00" not in base64.b64decode(Parsed(page).values("src")[0].partition(",")[2])


def test_the_page_of_an_empty_stack_shows_the_next_commands() -> None:
    page = Parsed(render(Content(stack="staging", at="2026-11-22T01:12:44Z", level="down")))
    for words in ("pulumi up -s staging", "oracle deploy --stack staging", "oracle backup staging", "no resources"):
        assert words in page.text


def test_a_section_that_cannot_be_read_shows_the_reason_and_known_facts() -> None:
    page = Parsed(render(replace(ordinary(), problems={"backups": "The bucket does not answer.", "runs": "Odd."})))
    assert "The bucket does not answer." in page.text
    assert "g3-20261121T230103Z-4f1a" in page.text
    empty = Parsed(render(Content(stack="s", at="", level="", problems={"history": "The bucket does not answer."})))
    assert "Nothing has happened" not in empty.text


def test_a_failed_run_shows_its_error() -> None:
    failed = replace(ordinary().runs[2], error="it was killed before its end")
    assert "it was killed before its end" in Parsed(render(replace(ordinary(), runs=[failed]))).text


def test_a_backup_before_a_deletion_is_shown_as_the_deletion() -> None:
    page = render(replace(ordinary(), history=[change("backed-up", None, [])]))
    assert ">delete</span>" in page
    assert "backed-up" not in page


def test_the_status_does_not_load_the_template_engine() -> None:
    text = "import sys, cli.commands.status; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
