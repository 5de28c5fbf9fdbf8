"""No command selects a stack for other terminals, and no read-only command creates one.

Every command that takes a stack is run, with an engine and clouds that only write down what they were asked.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.main
from typer.testing import CliRunner

import advice
import programs
from cli.engine import pulumi
from cli.engine.workspace import PROJECT, Stack
from cli.main import COMMANDS, app
from errors import UserError
from programs import Done

MAKING = frozenset({"adopt", "deploy", "promote", "review"})
"""The commands that may make a stack in the state; `up` too, for stacks on this machine."""
LOCAL_ONLY = frozenset({"cloud", "down", "env", "image", "up"})
"""Those that refuse a stack on real clouds, or ask no engine; tests/live/test_first_steps.py runs them."""
SWITCHES = {
    "page": ["--html", "page.html"],
    "wipe": ["--yes"],
    "restore": ["--yes"],
    "rollback": ["--yes"],
    "adopt": ["--yes"],
    "deploy": ["--yes"],
    "promote": ["--yes"],
    "unlock": ["--yes"],
}
ANY_STACK = frozenset({"config", "destroy", "export", "import", "output", "preview", "refresh", "up", "tag", "cancel"})
"""The engine's commands that work on the selected stack unless one is named."""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The engine's command lines, in a project with the committed stacks, in whose state there is none."""
    for name in ("Pulumi.staging.yaml", "Pulumi.prod.yaml"):
        (tmp_path / name).write_text((PROJECT / name).read_text())
    monkeypatch.setattr(Stack.__init__, "__defaults__", (tmp_path,))
    monkeypatch.chdir(tmp_path)
    for variable in ("DIGITALOCEAN_TOKEN", "CLOUDFLARE_API_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    lines: list[list[str]] = []

    def run(command: Any, **_: Any) -> Done:
        words = [str(word) for word in command]
        if words[0] == "pulumi":
            lines.append(words[1:])
        if words[1:3] == ["stack", "ls"]:
            return Done(0, b"[]", "")
        if words[1] == "whoami":
            return Done(0, b'{"user": "ann", "url": "file://state"}', "")
        return Done(255, b"", "error: no stack named 'staging' found")

    def nowhere(*_: Any, **__: Any) -> None:
        raise httpx.ConnectError("no network here")

    monkeypatch.setattr(pulumi, "run", run)
    monkeypatch.setattr(programs, "run", run)
    monkeypatch.setattr(httpx.Client, "send", nowhere)
    return lines


def takes_a_stack(name: str) -> bool:
    program: Any = typer.main.get_command(app)
    return any(each.name in ("stack", "source", "base") for each in program.get_command(None, name).params)


TAKING = [each.name for each in COMMANDS if each.name not in LOCAL_ONLY and takes_a_stack(each.name)]


def test_the_list_of_tested_commands_is_complete() -> None:
    assert {"plan", "status", "drift", "history", "backups", "rollback", "wipe", "restore", "deploy"} <= set(TAKING)


@pytest.mark.parametrize("name", TAKING)
def test_no_command_selects_a_stack_and_no_read_only_command_creates_one(asked: list[list[str]], name: str) -> None:
    words = ["review", "7"] if name == "review" else [name, *_arguments(name), *SWITCHES.get(name, [])]
    done = CliRunner().invoke(app, words)
    assert "Usage:" not in done.output
    for line in asked:
        assert line[:2] != ["stack", "select"]
        if line[:2] == ["stack", "init"]:
            assert name in MAKING
            assert "--no-select" in line
        if ANY_STACK & set(line[:2]):
            assert "--stack" in line, line


@pytest.mark.parametrize("name", ["wipe", "restore", "backup", "plan", "rotate", "recover", "rollback"])
def test_a_stack_that_is_not_in_the_state_is_reported(asked: list[list[str]], name: str) -> None:
    done = CliRunner().invoke(app, [name, *_arguments(name), *SWITCHES.get(name, [])])
    assert isinstance(done.exception, UserError)
    assert advice.text(done.exception, "another", "") == (
        "There is no stack staging in the state. Fix: run `oracle deploy --stack staging` to deploy it; or run `pulumi "
        "whoami -v` to see which state that is."
    )
    assert json.dumps(asked).count('"ls"') == 1


def _arguments(name: str) -> list[str]:
    if name == "promote":
        return ["staging", "prod"]
    if name == "propose":
        return ["staging", "{}"]
    if name == "runs":
        return ["--stack", "staging"]
    more = {"restore": ["g1-20261122"], "rotate": ["admin"], "console": ["backend"]}.get(name, [])
    return [*more, "--stack", "staging"]
