"""Calls of the engine for the state: as few as possible, since each is a process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.engine.pulumi import STACK, Engine, NoStack, outputs_or_none
from cli.engine.recover import settled
from cli.engine.workspace import Stack
from cli.ui.errors import CommandError
from tests.support.errors import refused

OUTPUTS: dict[str, Any] = {
    "backendUrl": "http://backend",
    "apiUrl": "http://api",
    "backendApp": "jellyfish-app",
    "backendAppId": "1",
    "generation": 2,
    "release": {"backend": "sha256:1", "workers": {}, "assets": {}, "commits": {}},
    "adminEmail": "ada@example.org",
    "adminPassword": {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "…"},
}
STATE: dict[str, Any] = {"deployment": {"resources": [{"type": "other"}, {"type": STACK, "outputs": OUTPUTS}]}}
SCRIPT = """#!/bin/sh
echo "$1 $2" >> asked
case "$1 $2 $*" in
  "stack export "*) [ -e state.json ] || { echo "error: it is not there" >&2; exit 1; }; cat state.json;;
  "stack ls "*) cat list.json;;
  "stack output "*--show-secrets*) cat opened.json;;
  "stack output "*) cat outputs.json;;
esac
"""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine that is a script: it notes what it is asked, and answers from files."""
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(SCRIPT)
    program.chmod(0o755)
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}\n")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "outputs.json").write_text(json.dumps({**OUTPUTS, "adminPassword": "[secret]"}))
    (tmp_path / "opened.json").write_text(json.dumps({**OUTPUTS, "adminPassword": "s3cret"}))
    made = Engine.__new__(Engine)
    made.stack = Stack("local", tmp_path)
    made.environment = {"PATH": f"{program.parent}:/usr/bin:/bin"}
    return made


def asked(engine: Engine) -> list[str]:
    return (engine.stack.project / "asked").read_text().splitlines()


def has_stack(engine: Engine, state: dict[str, Any]) -> None:
    (engine.stack.project / "state.json").write_text(json.dumps(state))


def test_the_state_gives_the_same_outputs_as_the_engine(engine: Engine) -> None:
    has_stack(engine, STATE)
    state = engine.export()
    assert engine.outputs(state) == outputs_or_none(state) == engine.outputs()
    assert asked(engine) == ["stack export", "stack output"]


@pytest.mark.parametrize("state", [{"deployment": None}, {"deployment": {"resources": [{"type": STACK}]}}])
def test_the_error_for_a_state_without_outputs_says_how_to_deploy(engine: Engine, state: dict[str, Any]) -> None:
    assert outputs_or_none(state) is None
    with refused(r"^The stack local has no \w+ yet\. Fix: run `(make|pulumi) up.*` to deploy it\.$"):
        engine.outputs(state)


def test_outputs_and_password_need_one_call(engine: Engine) -> None:
    outputs, password = engine.login()
    assert (outputs.admin_email, password) == ("ada@example.org", "s3cret")
    assert asked(engine) == ["stack output"]


def test_an_existing_stack_needs_no_extra_call(engine: Engine) -> None:
    has_stack(engine, STATE)
    assert settled(engine, make=True) == []
    assert asked(engine) == ["stack export"]


def test_a_missing_stack_is_created_only_on_request(engine: Engine) -> None:
    with pytest.raises(NoStack, match="There is no stack local in the state"):
        settled(engine, make=False)
    assert asked(engine) == ["stack export", "stack ls"]
    assert settled(engine, make=True) == []
    assert asked(engine)[-1] == "stack init"


def test_an_unreadable_state_creates_no_stack(engine: Engine) -> None:
    (engine.stack.project / "list.json").write_text('[{"name": "local"}]')
    with pytest.raises(CommandError, match="`pulumi stack` failed: error: it is not there") as failed:
        settled(engine, make=True)
    assert not isinstance(failed.value, NoStack)
    assert "stack init" not in asked(engine)
