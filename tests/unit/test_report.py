"""Tables and sentences at the width of the terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import redirect_stdout

import pytest

from cli.runs import report
from cli.ui.text import echo_wrapped, wrapped

STYLE = re.compile(r"\x1b\[\d+m")
ADDRESS = "http://jellyfish-app-g1-r2-9m7bm.ondigitalocean.localhost:45525"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], list[str]]:
    """What an action prints on a terminal that is so wide, line by line."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LINES", "24")

    def show(width: int, act: Callable[[], None]) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        with redirect_stdout(Terminal()) as terminal:
            act()
        lines = [STYLE.sub("", line).rstrip() for line in terminal.getvalue().split("\n")]
        return lines[:-1]

    return show


Printed = Callable[[int, Callable[[], None]], list[str]]


@pytest.mark.parametrize("width", [80, 200])
def test_an_address_is_never_wrapped(printed: Printed, width: int) -> None:
    rows = [report.Row("backend", "5354366832dd", "ok", ADDRESS), report.Row("web", "x" * 12, "503", f"{ADDRESS}/2")]
    lines = printed(width, lambda: report.show(rows))
    assert sum(ADDRESS in line for line in lines) == 2
    assert max(map(len, lines)) <= width
    assert lines[0].split() == ["service", "version", "answers", "address"][: 3 if width == 80 else 4]
    if width == 80:
        assert lines[-3:] == ["", f"backend  {ADDRESS}", f"web      {ADDRESS}/2"]


def test_the_last_column_may_be_wrapped(printed: Printed) -> None:
    line = ("20261122-194850-deploy", f"somebody@{'x' * 40}")
    first, second, third = printed(60, lambda: report.table(("run", "who"), [line]))
    assert first.split() == ["run", "who"]
    assert second.startswith("20261122-194850-deploy  somebody@")
    assert third.startswith(" " * 24)
    assert set(third.strip()) == {"x"}


def test_a_table_that_is_too_wide_becomes_paragraphs(printed: Printed) -> None:
    names = ("when", "what", "from", "to", "to undo")
    lines = [("2026", "wipe", "a" * 30, "b" * 30, "oracle restore c"), ("2025", "release", "d", "e", "-")]
    assert printed(60, lambda: report.table(names, lines)) == [
        "2026  wipe",
        f"  from     {'a' * 30}",
        f"  to       {'b' * 30}",
        "  to undo  oracle restore c",
        "2025  release",
        "  from     d",
        "  to       e",
        "  to undo  -",
    ]


def test_markup_in_a_cell_is_shown_as_text(printed: Printed) -> None:
    assert printed(80, lambda: report.table(("a", "b"), [("[red]x[/]", "[/]")]))[1].split() == ["[red]x[/]", "[/]"]


def test_sentences_are_wrapped_between_words() -> None:
    text = "one two three four five\n    four five six seven\n\nx"
    assert wrapped(text, 20) == "one two three four\nfive\n    four five six\n    seven\n\nx"
    assert wrapped(f"see {ADDRESS}", 30) == f"see\n{ADDRESS}"
    assert wrapped("a well-known-name-of-it x", 20) == "a\nwell-known-name-of-it\nx"


def test_sentences_are_wrapped_only_on_a_terminal(printed: Printed, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "a sentence of more than twenty characters"
    assert printed(20, lambda: echo_wrapped(sentence)) == ["a sentence of more", "than twenty", "characters"]
    echo_wrapped(sentence)
    assert capsys.readouterr().out == f"{sentence}\n"
