"""The status as people see it: on narrow and wide terminals, and in files."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from cli.status import Status, render
from cli.status.collect import Observations
from cli.status.model import Finding, Level
from tests.unit.status.scene import NOW, answer, judged, sight, with_write_gate


def status(level: Level = "healthy", seen: Observations | None = None) -> Status:
    seen = seen or sight()
    found = judged(seen)
    return Status(
        stack="local",
        at=NOW.isoformat(),
        level=level,
        services=found.services,
        findings=found.findings,
        notes=found.notes,
        backups=seen.backups,
        milliseconds=1234,
    )


def shown(found: Status, width: int, color: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, force_terminal=color)
    render.show(found, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_whole_status_fits_the_width(width: int) -> None:
    text = shown(status(), width)
    assert max(map(len, text.splitlines())) <= width
    for said in ("https://web.example.org", "ACTIVE d-1", "active 1 v1", "111111111111", "200, 7 ms", "$5.00 a month"):
        assert said in text
    assert "local is healthy (read in 1.2 s at 12:00:00)" in text
    assert "backend ok" in text
    assert "POCKETBASE_URL: 2 h old" in text
    assert "1, the newest 2 h old: jellyfish-app-g1-x" in text


def test_the_command_of_a_finding_is_on_its_own_line() -> None:
    text = shown(status("down", with_write_gate("web", answer(status=500))), 200)
    assert "down web: oracle-net does not serve: status 500 at https://web.example.org/." in text
    lines = [line.strip() for line in text.splitlines()]
    assert "next: CLOUDFLARE_API_BASE_URL=http://127.0.0.1:8400/client/v4 npx wrangler tail oracle-net" in lines
    assert "local is down, 1 finding" in text


def test_markup_in_a_finding_is_shown_as_text() -> None:
    finding = Finding(about="web", level="down", what="[bold]it[/bold] broke.", next="oracle up")
    assert "[bold]it[/bold] broke." in shown(replace(status(), findings=(finding,)), 80)


def test_color_is_used_only_on_a_terminal() -> None:
    assert "\x1b" not in shown(status(), 80)
    assert "\x1b" in shown(status(), 80, color=True)


def test_a_single_cause_is_shown_without_a_table_of_services() -> None:
    finding = Finding(about="network", level="down", what="It does not run.", next="oracle cloud start")
    alone = replace(status("down"), services=(), findings=(finding,))
    text = shown(alone, 80)
    assert "next: oracle cloud start" in text
    assert "service" not in text


@pytest.mark.parametrize(
    "seconds, said", [(5, "5 s"), (90, "2 min"), (7200, "2 h"), (90000, "25 h"), (864000, "10 d"), (-5, "0 s")]
)
def test_ages_are_shown_in_short_form(seconds: int, said: str) -> None:
    assert render.age((NOW - timedelta(seconds=seconds)).isoformat(), NOW.isoformat()) == said
    assert render.age(None, NOW.isoformat()) == ""


def test_a_missing_secret_is_highlighted() -> None:
    found = status()
    backend = found.services[0]
    gone = replace(backend, secrets=(replace(backend.secrets[0], present=False), backend.secrets[1]))
    text = shown(replace(found, services=(gone,)), 80)
    assert "PB_ADMIN_EMAIL: MISSING; PB_ADMIN_PASSWORD: 2 h old" in text


def test_brief_output_shows_only_states_and_problems() -> None:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    console.print(render.render(status("down", with_write_gate("web", answer(status=500))), 80, brief=True))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "backups" not in text
    assert "tail oracle-net" in text
    assert "universe  healthy" in text


def test_a_version_of_another_release_is_marked() -> None:
    found = status()
    other = replace(found.services[2], version="9" * 64)
    assert "999999999999 !" in shown(replace(found, services=(other,)), 80)
    assert "!" not in shown(replace(found, services=(replace(other, version=None),)), 80)
