"""The order of the steps when the admin's password changes, and the state after each failure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from clients.pocketbase import AdminError, add_temporary_admin
from clients.workers_api import WorkersApiError
from errors import UserError
from lifecycle.admin_rotation import remove_leftover_admins, remove_unused_admins, rotate_with_temporary_admin
from lifecycle.context import MigrationPolicy
from stack_outputs import LOGIN_MARK
from tests.support.fake_pocketbase import FakePocketBase
from tests.support.fakes import EMAIL, TRAFFIC, FakeAccount, app, context, target, worker

OLDER, NEWER = "older-password", "newer-password"
BOUND = f"api: secrets {LOGIN_MARK} PB_ADMIN_EMAIL PB_ADMIN_PASSWORD"
TEMPORARY = "jellyfish: add a temporary admin"
REMOVED = "jellyfish: remove a temporary admin"
CHANGED = f"jellyfish: password {EMAIL}"


@dataclass
class World:
    """A backend whose admin has the older password, and the api Worker, which sends its requests to it."""

    account: FakeAccount
    backend: FakePocketBase

    @property
    def calls(self) -> list[str]:
        return self.account.calls

    @property
    def bound(self) -> tuple[str, str]:
        """The login of the api Worker."""
        email, password = (self.account.workers["api"][name] for name in ("PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD"))
        return email["text"], password["text"]

    def serve(self, name: str | None) -> None:
        self.account.workers = {"api": worker(name)} if name else {}

    def leave_temporary_admin(self) -> str:
        """A temporary admin of an update that ended halfway; returns its address."""
        temporary = add_temporary_admin(self.backend.url, self.backend.login(), NEWER)
        self.calls.clear()
        return temporary.email

    def change(self, older: str = OLDER) -> None:
        rotate_with_temporary_admin(self.account.clouds, target("id", password=NEWER), older, TRAFFIC, 5.0)

    def clear_up(self) -> None:
        remove_leftover_admins(self.account.clouds, target("id", password=NEWER), OLDER, TRAFFIC, 5.0)

    def end(self) -> None:
        policy = MigrationPolicy(drain=5.0, freeze=60.0)
        remove_unused_admins(context(self.account, policy=policy), NEWER)


@pytest.fixture
def world() -> Iterator[World]:
    account = FakeAccount()
    with FakePocketBase("jellyfish", account.calls, passwords={EMAIL: OLDER}) as backend:
        account.apps["id"] = app("id", "jellyfish", backend.url)
        made = World(account, backend)
        made.serve("jellyfish")
        yield made


def test_the_api_gets_a_temporary_admin_before_the_password_changes(world: World) -> None:
    world.change()
    assert world.calls == [TEMPORARY, BOUND, "sleep 5", CHANGED]
    [temporary] = world.backend.passwords.keys() - {EMAIL}
    assert world.backend.passwords == {EMAIL: NEWER, temporary: NEWER}
    assert world.bound == (temporary, NEWER)


@pytest.mark.parametrize("at", [None, "another"])
def test_no_temporary_admin_is_created_without_traffic(world: World, at: str | None) -> None:
    world.serve(at)
    world.change()
    assert world.calls == []


def test_a_password_that_already_works_is_not_changed(world: World) -> None:
    world.backend.superusers[0]["password"] = NEWER
    world.change()
    assert world.calls == []


def test_a_missing_admin_is_not_changed(world: World) -> None:
    world.change(older="forgotten")
    assert world.calls == []


def test_a_refused_upload_changes_nothing(world: World) -> None:
    world.account.failures["put_secrets"] = WorkersApiError("the Worker is not to be had.", status=400)
    with pytest.raises(UserError, match="The admin's password was not changed: the Worker is not to be had"):
        world.change()
    assert world.calls == [TEMPORARY, REMOVED]
    assert world.backend.passwords == {EMAIL: OLDER}


def test_the_temporary_admin_stays_when_the_upload_gets_no_answer(world: World) -> None:
    world.account.failures["put_secrets"] = WorkersApiError("the Worker is not to be had.", status=None)
    with pytest.raises(UserError):
        world.change()
    assert world.calls == [TEMPORARY]


def test_the_api_uses_the_temporary_admin_when_the_password_change_fails(world: World) -> None:
    world.backend.refuses.add("password")
    with pytest.raises(UserError, match=r"was not changed: .* refused the admin's new password"):
        world.change()
    assert world.calls == [TEMPORARY, BOUND, "sleep 5"]
    [temporary] = world.backend.passwords.keys() - {EMAIL}
    assert world.bound == (temporary, NEWER)


def test_a_new_password_refused_by_pocketbase_changes_nothing(world: World) -> None:
    world.backend.refuses.add("add")
    with pytest.raises(UserError, match=r"was not changed: .* answered 400 to POST"):
        world.change()
    assert world.calls == []
    assert world.backend.passwords == {EMAIL: OLDER}


def test_an_old_temporary_admin_is_removed_when_the_api_uses_the_admin(world: World) -> None:
    world.leave_temporary_admin()
    world.clear_up()
    assert world.calls == [BOUND, "sleep 5", REMOVED]
    assert world.bound == (EMAIL, OLDER)


@pytest.mark.parametrize("at, left", [("another", True), ("jellyfish", False)])
def test_without_temporary_admins_or_traffic_nothing_is_cleared_up(world: World, at: str, left: bool) -> None:
    if left:
        world.leave_temporary_admin()
    world.serve(at)
    world.clear_up()
    assert world.calls == []


def test_temporary_admins_are_removed_after_the_upload(world: World) -> None:
    temporary = world.leave_temporary_admin()
    world.backend.superusers[0]["password"] = NEWER
    assert world.backend.passwords == {EMAIL: NEWER, temporary: NEWER}
    world.end()
    assert world.calls == ["sleep 5", REMOVED]
    assert world.backend.passwords == {EMAIL: NEWER}


def test_an_unreachable_backend_does_not_fail_a_finished_rotation(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.account.failures["find"] = AdminError("nobody answers")
    world.end()
    assert "the next update tries again: nobody answers" in capsys.readouterr().err
