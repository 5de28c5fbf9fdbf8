"""Nothing but the templates' own tags is markup, and nothing in a value is hidden."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from cli.dashboard.document import environment
from cli.dashboard.filters import web_name
from tests.dashboard.scene import EVIL


def rendered(source: str, **values: object) -> str:
    return environment().from_string(source).render(**values)


def test_text_and_attributes_are_escaped() -> None:
    made = rendered("<p class=\"{{ a }}\" title='{{ b }}'>{{ c }}{{ d }}</p>", a='a"b', b="'", c="<b>&", d=None)
    assert made == "<p class=\"a&#34;b\" title='&#39;'>&lt;b&gt;&amp;None</p>"


def test_markup_is_escaped_again_when_it_becomes_part_of_a_text() -> None:
    assert rendered("{{ x }}", x=Markup("<b>") + "<script>") == "<b>&lt;script&gt;"
    assert rendered("{{ x }}", x=f"{Markup('<b>')}") == "&lt;b&gt;"


def test_a_macros_result_is_markup_and_its_arguments_are_not() -> None:
    assert rendered("{% macro bold(x) %}<b>{{ x }}</b>{% endmacro %}{{ bold(x) }}", x="<i>") == "<b>&lt;i&gt;</b>"


def test_an_undefined_name_is_an_error() -> None:
    for source in ("{{ x }}", "{% if x %}{% endif %}", "{{ y.x }}"):
        with pytest.raises(UndefinedError):
            rendered(source, y="")


@pytest.mark.parametrize("unseen", ["\u202e", "\u200b", "\x00", "\x1b", "\x85", "\ud800", "\ufeff", "\u2066", "\r"])
def test_what_would_hide_or_reorder_is_seen(unseen: str) -> None:
    shown = rendered("{{ x }}", x=f"a{unseen}b")
    assert shown == "a\ufffdb"
    shown.encode()


def test_colours_are_taken_out_and_lines_stay() -> None:
    assert rendered("{{ x }}", x="\x1b[1;31mred\x1b[0m\n\tx") == "red\n\tx"


def test_numbers_have_no_needless_digits() -> None:
    assert rendered("{{ a }} {{ b }} {{ c }}", a=12.0, b=1 / 3, c=7) == "12 0.333333 7"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_a_parser_finds_only_our_own_tags() -> None:
    made = rendered('<p title="{{ x }}">{{ x }}</p>', x=EVIL)
    parser = Tags()
    parser.feed(made)
    ((name, attributes),) = parser.found
    assert name == "p"
    assert set(attributes) == {"title"}
    assert "<script>alert('x')</script>" in unescape(made)


def test_every_template_is_compiled_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = environment().list_templates()
    assert "page.html.j2" in names
    for name in names:
        environment().get_template(name)


@pytest.mark.parametrize("address", ["", "javascript:alert(1)", "http:x", "http://", "http://[", "ftp://a.b", "//a.b"])
def test_only_a_web_address_becomes_a_link(address: str) -> None:
    assert web_name(address) == []
    assert web_name("https://a.b/c") == ["a", "b/c"]
