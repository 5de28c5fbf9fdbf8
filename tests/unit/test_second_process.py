"""No second process opens a database in use: neither the program nor an unconfirmed `oracle console` starts one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

import advice
from cli.commands.console import opens_database
from clients.app_platform import CommandResult
from clients.pocketbase import OPERATOR, AdminError
from errors import UserError
from lifecycle.bootstrap import bootstrap
from tests.support.fake_pocketbase import FakePocketBase
from tests.support.fakes import (
    EMAIL,
    OPERATOR_PASSWORD,
    PASSWORD,
    SUCCESS,
    FakeAccount,
    FakeAppPlatform,
    app,
    target,
)

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
def test_commands_that_open_the_database_are_recognized(command: list[str], opens: bool) -> None:
    assert opens_database(command, CONSOLE) is opens


@pytest.fixture
def account() -> FakeAccount:
    return FakeAccount()


@pytest.fixture
def backend(account: FakeAccount) -> Iterator[FakePocketBase]:
    """The backend of the account's app. Its disk is new: it has neither the admin nor the operator."""
    with FakePocketBase(passwords={"other@example.org": "x"}) as made:
        account.apps["id"] = app("id", "app", made.url)
        yield made


def in_container(backend: FakePocketBase, locks: str = "held") -> Callable[[Sequence[str]], CommandResult]:
    """A console whose server holds its locks or does not, and that makes superusers."""

    def run(command: Sequence[str]) -> CommandResult:
        if command[0] == "sh":
            return CommandResult(status=0, output=locks)
        backend.add_superuser(*command[-2:])
        return SUCCESS

    return run


def first_words(account: FakeAccount) -> list[str]:
    """How the commands in the console began."""
    return [call.split()[1] for call in account.calls if call.startswith("console: ")]


UPSERT = target("id", console=CONSOLE)


def test_a_database_in_use_is_opened_while_its_server_holds_its_locks(
    account: FakeAccount, backend: FakePocketBase
) -> None:
    account.console = in_container(backend)
    assert bootstrap(FakeAppPlatform(account), UPSERT) == backend.url
    assert first_words(account) == ["sh", "./oracle-universe"]
    assert backend.passwords.items() >= {EMAIL: PASSWORD, OPERATOR: OPERATOR_PASSWORD}.items()


@pytest.mark.parametrize("output", ["", "sh: not found"])
def test_a_database_in_use_is_not_opened_without_its_servers_locks(
    account: FakeAccount, backend: FakePocketBase, output: str
) -> None:
    account.console = in_container(backend, output)
    with pytest.raises(UserError) as caught:
        bootstrap(FakeAppPlatform(account), UPSERT)
    assert isinstance(caught.value.cause, AdminError)
    assert caught.value.cause.problem.endswith("no second process is started on it.")
    assert advice.text(caught.value, "prod", "").endswith(
        "Fix: log in to its dashboard as another superuser, then run `pulumi stack output adminPassword "
        f"--show-secrets --stack prod` to read the declared password, and set it for {EMAIL}."
    )
    assert first_words(account) == ["sh"]


def test_the_locks_of_a_new_backend_are_not_checked(account: FakeAccount, backend: FakePocketBase) -> None:
    account.console = in_container(backend, "")
    bootstrap(FakeAppPlatform(account), UPSERT, fresh=True)
    assert first_words(account) == ["./oracle-universe"]
    assert backend.passwords[EMAIL] == PASSWORD


@pytest.mark.parametrize("status, text", [(1, "no such program"), (0, "Error: unknown shorthand flag: -x")])
def test_a_failing_console_command_is_reported_with_any_status(
    account: FakeAccount, backend: FakePocketBase, status: int, text: str
) -> None:
    """PocketBase exits with 0 even when it does not understand its arguments."""
    account.console = lambda command: CommandResult(status=status, output=f"{text} {command[-1]}")
    with pytest.raises(UserError) as failed:
        bootstrap(FakeAppPlatform(account), UPSERT, fresh=True)
    [call] = account.calls
    command, _, one_time = call.rpartition(" ")
    assert command == f"console: {CONSOLE} -- {EMAIL}"
    assert text in str(failed.value)
    assert one_time not in str(failed.value)
