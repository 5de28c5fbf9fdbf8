"""Nothing but our own tags is markup."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from cli.dashboard.markup import Html, join, tag, text
from tests.dashboard.scene import EVIL


def test_children_and_attributes_are_escaped() -> None:
    made = tag(
        "p", "<b>&", tag("i", "x"), ["y", None, Html("<br>")], class_='a"b', data_label="'", hidden=True, id=None
    )
    assert made == ('<p class="a&quot;b" data-label="&#x27;" hidden>&lt;b&gt;&amp;<i>x</i>y<br></p>')


def test_a_text_that_was_made_of_markup_is_text_again() -> None:
    assert join([Html("<b>") + "<script>"]) == "&lt;b&gt;&lt;script&gt;"
    assert join([f"{Html('<b>')}"]) == "&lt;b&gt;"


def test_void_elements_have_no_end() -> None:
    assert tag("img", src="data:,") == '<img src="data:,">'


@pytest.mark.parametrize("unseen", ["\u202e", "\u200b", "\x00", "\x1b", "\x85", "\ud800", "\ufeff", "\u2066", "\r"])
def test_what_would_hide_or_reorder_is_seen(unseen: str) -> None:
    shown = text(f"a{unseen}b")
    assert shown == "a\ufffdb"
    shown.encode()


def test_colours_are_taken_out_and_lines_stay() -> None:
    assert text("\x1b[1;31mred\x1b[0m\n\tx") == "red\n\tx"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_a_parser_finds_only_our_own_tags() -> None:
    parser = Tags()
    parser.feed(tag("p", EVIL, title=EVIL))
    ((name, attributes),) = parser.found
    assert name == "p"
    assert set(attributes) == {"title"}
