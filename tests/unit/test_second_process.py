"""No second process is started on a database in use: not by the program, and not by `oracle console` unasked."""

from __future__ import annotations

from typing import Any

import pytest

import advice
from cli.commands.console import opens_database
from clients.app_platform import CommandResult
from clients.pocketbase import AdminError
from lifecycle import bootstrap
from lifecycle.bootstrap import Target

CONSOLE = "./oracle-universe superuser upsert"


@pytest.mark.parametrize(
    "command, opens",
    [
        (["./oracle-universe", "superuser", "upsert", "a@b.c", "x"], True),
        (["/app/oracle-universe", "superuser", "otp", "a@b.c"], True),
        (["sh", "-c", "cd /app && ./oracle-universe migrate up"], True),
        (["pocketbase", "superuser", "list"], True),
        (["./oracle-universe", "--version"], False),
        (["ls", "-l", "pb_data"], False),
        ([], False),
    ],
)
def test_commands_that_open_the_database_are_known(command: list[str], opens: bool) -> None:
    assert opens_database(command, CONSOLE) is opens


class Platform:
    def url(self, _: str) -> str:
        return "http://backend"

    def console_url(self, *_: str) -> str:
        return "ws://console"


def target() -> Target:
    rest = dict.fromkeys(("endpoint", "service", "health_path", "release", "owner"), "x")
    return Target(console=CONSOLE, email="a@b.c", password="p", operator="o", app_id="id", **rest)


@pytest.mark.parametrize("output, allowed", [("held", True), ("", False), ("sh: not found", False)])
def test_a_database_in_use_is_opened_only_while_its_server_holds_its_locks(
    monkeypatch: pytest.MonkeyPatch, output: str, allowed: bool
) -> None:
    ran: list[list[str]] = []

    def run(url: str, command: list[str]) -> CommandResult:
        ran.append(command)
        return CommandResult(status=0, output=output)

    def repair(url: str, email: str, password: str, operator: str, upsert: Any) -> None:
        upsert(email, "one-time")

    monkeypatch.setattr(bootstrap, "wait_healthy", lambda *_: None)
    monkeypatch.setattr(bootstrap, "ensure_admin", repair)
    monkeypatch.setattr(bootstrap, "run_command", run)
    if allowed:
        bootstrap._ensure_logins(Platform(), target(), fresh=False)  # type: ignore[arg-type]
    else:
        with pytest.raises(AdminError, match=r"no second process is started on it\.$") as caught:
            bootstrap._ensure_logins(Platform(), target(), fresh=False)  # type: ignore[arg-type]
        assert advice.text(caught.value, "prod", "").endswith(
            "Fix: log in to its dashboard as another superuser, then run `pulumi stack output adminPassword "
            "--show-secrets --stack prod` to read the declared password, and set it for a@b.c."
        )
    assert [command[0] for command in ran] == ["sh", "./oracle-universe"][: 1 + allowed]


def test_a_backend_that_nobody_uses_is_not_asked_for_its_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(bootstrap, "wait_healthy", lambda *_: None)
    monkeypatch.setattr(bootstrap, "_careful_upsert", lambda *_: pytest.fail("it asks"))
    monkeypatch.setattr(bootstrap, "ensure_admin", lambda *arguments: given.append(arguments[4]))
    bootstrap._ensure_logins(Platform(), target(), fresh=True)  # type: ignore[arg-type]
    assert given[0] is not None


@pytest.mark.parametrize("result", [(1, "no such program"), (0, "Error: unknown shorthand flag: -x")])
def test_a_console_that_fails_is_heard_whatever_its_status(
    monkeypatch: pytest.MonkeyPatch, result: tuple[int, str]
) -> None:
    """PocketBase ends with 0 also where it has not understood its arguments."""
    ran: list[list[str]] = []

    def run(url: str, command: list[str]) -> CommandResult:
        ran.append(command)
        return CommandResult(status=result[0], output=f"{result[1]} one-time")

    monkeypatch.setattr(bootstrap, "run_command", run)
    with pytest.raises(AdminError) as failed:
        bootstrap._upsert(Platform(), target())("a@b.c", "one-time")  # type: ignore[arg-type]
    assert ran == [[*CONSOLE.split(), "--", "a@b.c", "one-time"]]
    assert result[1] in str(failed.value)
    assert "one-time" not in str(failed.value)
