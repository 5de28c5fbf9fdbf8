"""The order in which the admin's password changes, and what is left where it breaks off."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from clients import workers_api
from clients.pocketbase import AdminError, TemporaryAdmin
from errors import UserError
from lifecycle import admin_rotation
from lifecycle.bootstrap import Target
from lifecycle.context import Traffic
from stack_outputs import LOGIN_MARK

TRAFFIC = Traffic(endpoint="e", account="a", script="api", url="u", owner="organization/oracle-net/local")
DEPUTY = TemporaryAdmin(email="deputy@temporary-admin.invalid", password="newer")


@dataclass
class World:
    """A backend with one admin, the api Worker, and everything that was done to them, in order."""

    password: str = "older"
    at: str | None = "jellyfish"
    fails: str = ""
    status: int | None = 400
    done: list[str] = field(default_factory=list)
    bound: str = "older"
    left: dict[str, str] = field(default_factory=dict)

    def login(self, url: str, email: str, password: str, **_: Any) -> Any:
        return object() if password == self.password else None

    def add(self, url: str, session: Any, password: str) -> TemporaryAdmin:
        assert password == "newer", "PocketBase takes or refuses the new password here"
        self._step("temporary admin")
        return DEPUTY

    def temporary_admins(self, url: str, session: Any) -> dict[str, str]:
        return self.left

    def change(self, url: str, session: Any, old: str, new: str) -> None:
        assert old == self.password
        self._step("password")
        self.password = new

    def remove(self, url: str, session: Any, only: str = "", after: Any = None) -> list[str]:
        if after and self.left:
            after()
        self.done.append(f"removed {only}")
        return [only]

    def put_secrets(self, script: str, texts: dict[str, str]) -> None:
        assert texts.keys() == {"PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD", LOGIN_MARK}
        if self.fails == "worker":
            raise workers_api.WorkersApiError("the Worker is not to be had.", status=self.status)
        self._step("worker")
        self.bound = f"{texts['PB_ADMIN_EMAIL']} {texts['PB_ADMIN_PASSWORD']}"

    def _step(self, name: str) -> None:
        if self.fails == name:
            raise AdminError(f"{name} fails")
        self.done.append(name)

    # The APIs, as contexts.
    def __call__(self, *_: object) -> World:
        return self

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def app(self, app_id: str) -> dict[str, Any]:
        return {"spec": {"name": "jellyfish"}}

    def url(self, app_id: str) -> str:
        return "http://jellyfish"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(admin_rotation, "AppPlatform", made)
    monkeypatch.setattr(workers_api, "Workers", made)
    monkeypatch.setattr(admin_rotation, "app_with_traffic", lambda _: made.at)
    for name, double in (
        ("login", made.login),
        ("add_temporary_admin", made.add),
        ("change_password", made.change),
        ("remove_temporary_admins", made.remove),
        ("list_temporary_admins", made.temporary_admins),
    ):
        monkeypatch.setattr(admin_rotation, name, double)
    monkeypatch.setattr("time.sleep", lambda seconds: made.done.append(f"{seconds:g} s"))
    return made


def change(older: str = "older") -> None:
    rest = dict.fromkeys(("endpoint", "health_path", "console", "release", "service", "operator", "owner"), "x")
    target = Target(app_id="id", email="admin@example.org", password="newer", **rest)
    admin_rotation.rotate_with_temporary_admin(target, older, TRAFFIC, 5.0)


def test_the_api_has_another_login_before_the_password_changes(world: World) -> None:
    change()
    assert world.done == ["temporary admin", "worker", "5 s", "password"]
    assert (world.password, world.bound) == ("newer", f"{DEPUTY.email} newer")


@pytest.mark.parametrize("at", [None, "another"])
def test_without_traffic_there_is_no_need_of_a_temporary_admin(world: World, at: str | None) -> None:
    world.at = at
    change()
    assert world.done == []


def test_a_password_that_works_already_is_left_alone(world: World) -> None:
    world.password = "newer"
    change()
    assert world.done == []


def test_an_admin_that_is_gone_is_the_bootstraps_business(world: World) -> None:
    change(older="forgotten")
    assert world.done == []


def test_a_refused_worker_leaves_everything_as_it_was(world: World) -> None:
    world.fails = "worker"
    with pytest.raises(UserError, match="The admin's password was not changed: the Worker is not to be had"):
        change()
    assert world.done == ["temporary admin", f"removed {DEPUTY.email}"]
    assert world.password == "older"


def test_without_an_answer_the_worker_may_have_the_temporary_admin_so_it_stays(world: World) -> None:
    world.fails, world.status = "worker", None
    with pytest.raises(UserError):
        change()
    assert world.done == ["temporary admin"]


def test_a_password_that_is_refused_leaves_the_api_its_temporary_admin(world: World) -> None:
    world.fails = "password"
    with pytest.raises(UserError, match="was not changed: password fails"):
        change()
    assert world.done == ["temporary admin", "worker", "5 s"]
    assert world.bound == f"{DEPUTY.email} newer"


def test_a_new_password_that_pocketbase_refuses_leaves_everything_as_it_was(world: World) -> None:
    world.fails = "temporary admin"
    with pytest.raises(UserError, match="was not changed: temporary admin fails"):
        change()
    assert world.done == []
    assert (world.password, world.bound) == ("older", "older")


def clear_up(older: str = "older") -> None:
    rest = dict.fromkeys(("endpoint", "health_path", "console", "release", "service", "operator", "owner"), "x")
    target = Target(app_id="id", email="admin@example.org", password="newer", **rest)
    admin_rotation.remove_leftover_admins(target, older, TRAFFIC, 5.0)


def test_a_temporary_admin_of_before_goes_when_the_api_has_the_admins_login_again(world: World) -> None:
    world.left = {DEPUTY.email: "id"}
    clear_up()
    assert world.done == ["worker", "5 s", "removed "]
    assert world.bound == "admin@example.org older"


@pytest.mark.parametrize("at, left", [("another", {DEPUTY.email: "id"}), ("jellyfish", {})])
def test_where_none_is_left_or_no_traffic_goes_nothing_is_done(world: World, at: str, left: dict[str, str]) -> None:
    world.at, world.left = at, left
    clear_up()
    assert world.done == []


def context() -> Any:
    policy = type("Policy", (), {"drain": 5.0})()
    expected = type("Expected", (), {"endpoint": "e", "email": "admin@example.org"})()
    return type("Context", (), {"policy": policy, "expected": expected, "traffic": TRAFFIC})()


def test_temporary_admins_go_when_the_worker_has_been_uploaded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.password = "newer"
    monkeypatch.setattr(world, "find", lambda name: {"id": name}, raising=False)
    admin_rotation._remove_temporary_admins(context(), "newer")
    assert world.done == ["removed "]


def test_a_cloud_that_is_away_does_not_fail_an_update_that_is_done(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(name: str) -> None:
        raise AdminError("nobody answers")

    monkeypatch.setattr(world, "find", away, raising=False)
    admin_rotation._remove_temporary_admins(context(), "newer")
    assert "the next update tries again: nobody answers" in capsys.readouterr().err
