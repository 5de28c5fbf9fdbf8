"""The command `oracle status`: exit statuses, JSON and --watch."""

from __future__ import annotations

import json

import pytest
import typer

from cli.commands import status as command
from cli.status import Status
from cli.status.model import Level
from cli.status.snapshot import StatusReader
from cli.ui.errors import CommandError
from errors import Fix
from tests.unit.status.test_render import status


def _found(monkeypatch: pytest.MonkeyPatch, *found: Status) -> None:
    """`Look.gather` finds these, one after another, and is interrupted then."""
    left = list(found)

    def gather(_: StatusReader) -> Status:
        if not left:
            raise KeyboardInterrupt
        return left.pop(0)

    monkeypatch.setattr(StatusReader, "gather", gather)


@pytest.mark.parametrize("level, exit_status", [("healthy", 0), ("degraded", 1), ("down", 2)])
def test_the_exit_status_shows_the_level(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], level: Level, exit_status: int
) -> None:
    _found(monkeypatch, status(level))
    with pytest.raises(typer.Exit) as caught:
        command.status(as_json=True)
    assert caught.value.exit_code == exit_status
    told = json.loads(capsys.readouterr().out)
    assert told["level"] == level
    assert told["services"][1]["secrets"][0] == {
        "name": "PB_ADMIN_EMAIL",
        "present": True,
        "since": "2026-11-22T10:00:00.000000Z",
    }


def test_watch_needs_a_terminal() -> None:
    with pytest.raises(CommandError, match=r"^--watch needs a terminal, and excludes --json\.$") as raised:
        command.status(watch=True)
    assert raised.value.helps == (Fix("oracle status --stack local", "to show the status once"),)


def test_watch_exits_with_the_status_seen_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("time.sleep", lambda _: None)
    _found(monkeypatch, status(), status("down"))
    with pytest.raises(typer.Exit) as caught:
        command.status(watch=True)
    assert caught.value.exit_code == 2
    assert "local is" in capsys.readouterr().out


def test_watch_shortens_output_that_is_taller_than_the_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("time.sleep", lambda _: None)
    for lines, whole in (("12", False), ("60", True)):
        monkeypatch.setenv("LINES", lines)
        monkeypatch.setenv("COLUMNS", "80")
        _found(monkeypatch, status())
        with pytest.raises(typer.Exit):
            command.status(watch=True)
        assert ("backups" in capsys.readouterr().out) is whole
