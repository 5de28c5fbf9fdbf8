"""`oracle rotate` and `oracle unlock`: their questions, changes and refusals."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

import settings
from cli.backups import rotation
from cli.commands.unlock import unlock
from cli.deploy import config_change
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.ui import prompt
from cli.ui.errors import CommandError
from errors import SetKey
from tests.support.errors import refused
from tests.support.fake_pocketbase import FakePocketBase
from tests.support.fakes import EMAIL
from tests.unit.test_settings import values


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_generated_password_is_renewed_by_its_version() -> None:
    assert rotation.new_password(3, None) == rotation.Change(values={"oracle-net:adminPasswordVersion": "4"})


def test_a_chosen_password_is_set_as_a_secret() -> None:
    made = rotation.new_password(3, "chosen-password")
    assert made == rotation.Change(secrets={"oracle-net:adminPassword": "chosen-password"})
    assert "chosen-password" not in repr(made)


def test_a_short_password_is_refused_before_any_change() -> None:
    with refused(
        r"at least 10 characters, so nothing was changed\. Fix: choose a longer one, then run `oracle again`\.$"
    ):
        rotation.new_password(3, "short")


@pytest.mark.parametrize("chosen", ["a" * 72, "\N{SNOWMAN}" * 25])
def test_a_long_password_is_refused_before_any_change(chosen: str) -> None:
    with refused(r"at most 71 characters and 72 bytes, so nothing was changed\. Fix: choose a shorter one, then run"):
        rotation.new_password(3, chosen)


def test_a_secret_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("  the token \nmore\n"))
    assert prompt.secret("The token") == "the token"
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with refused(r"^The input is empty, so nothing was changed\. Fix: run `oracle again`\.$"):
        prompt.secret("The token")


def test_a_typed_secret_is_asked_for_twice_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["one", "one", "one", "other"])
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    assert prompt.secret("The token") == "one"
    with refused(r"^The two inputs differ, so nothing was changed\. Fix: run `oracle again`\.$"):
        prompt.secret("The token")


def test_a_run_gets_secrets_only_through_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack("local", tmp_path)
    started: dict[str, Any] = {}

    def start(run: Any, stack: Stack, task: Any, environment: Any) -> None:
        started.update(task=task, environment=environment)
        run.end()

    monkeypatch.setattr(config_change, "start_detached", start)
    monkeypatch.setattr(config_change, "run_in_view", lambda run: run.info)
    engine = Mock(Engine, stack=stack)
    config_change.apply(engine, "rotate", {"plain": "1"}, secrets={"oracle-net:githubToken": "planted-token"})
    (name,) = started["task"]["secrets"].values()
    assert started["environment"] == {name: "planted-token"}
    assert "planted-token" not in json.dumps(started["task"])
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"planted-token" in path.read_bytes()]


def test_a_secret_is_removed_from_the_environment_after_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORACLE_NEW_SECRET_0", "planted-token")
    engine = Mock(Engine, stack=Stack("local", tmp_path), environment={"ORACLE_NEW_SECRET_0": "planted-token"})
    engine.stack.file.write_text("config: {}\n")
    recording = Mock(engine=engine)
    recording.update.return_value = Mock(status=0)
    assert config_change.run_config_change(recording, {}, {"oracle-net:githubToken": "ORACLE_NEW_SECRET_0"}) == {}
    engine.set_secret.assert_called_once_with("oracle-net:githubToken", "planted-token")
    assert "ORACLE_NEW_SECRET_0" not in {*os.environ, *engine.environment}


@pytest.mark.parametrize(
    "protect, until, locked",
    [
        (False, None, False),
        (True, None, True),
        (True, timedelta(minutes=5), False),
        (True, timedelta(minutes=-5), True),
        (True, timedelta(days=2), True),
    ],
)
def test_an_unlock_ends_at_its_time(protect: bool, until: timedelta | None, locked: bool) -> None:
    moment = None if until is None else (datetime.now(UTC) + until).isoformat()
    assert settings.parse({**values(), "protect": protect, "unlockedUntil": moment}).locked is locked


def test_a_time_without_a_time_zone_is_refused() -> None:
    with pytest.raises(settings.SettingsError, match="oracle-net:unlockedUntil ") as caught:
        settings.parse({**values(), "unlockedUntil": "2026-01-31T22:00:00"})
    assert caught.value.helps == (SetKey("oracle-net:unlockedUntil", "2026-01-31T22:00:00Z"),)


def test_unlock_of_an_unprotected_stack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match=r"^staging is not protected\.$") as raised:
        unlock("staging", 60, False, True)
    assert raised.value.helps == (SetKey("oracle-net:protect", "true"),)


@pytest.mark.parametrize(
    "accepted, sentence",
    [
        ({"newer"}, None),
        ({"newer", "older"}, "still accepts the old password too"),
        ({"older"}, "refuses the new password"),
    ],
)
def test_a_failed_verification_is_reported(accepted: set[str], sentence: str | None) -> None:
    engine = Mock(Engine, stack=Stack("prod"))
    with FakePocketBase(passwords={"left@temporary-admin.invalid": "newer"}) as backend:
        for password in accepted:
            backend.add_superuser(EMAIL, password)
        outputs = Mock(backend_app="jellyfish-app", backend_url=backend.url, admin_email=EMAIL)
        engine.login.return_value = outputs, "newer"
        if sentence is None:
            said = list(rotation.verified(engine, "older"))
            assert said == ["jellyfish-app accepts the new password.", "jellyfish-app refuses the old password."]
            assert backend.passwords == {EMAIL: "newer"}
            return
        check = "run `oracle status prod` to see the cause, then run `pulumi up --stack prod`"
        with refused(rf"{sentence}\. Fix: {check}\.$"):
            list(rotation.verified(engine, "older"))
        assert backend.calls == []


def test_an_unchanged_password_is_reported() -> None:
    engine = Mock(Engine, stack=Stack("prod"))
    engine.login.return_value = Mock(), "older"
    with pytest.raises(CommandError, match="The password has not changed"):
        list(rotation.verified(engine, "older"))
