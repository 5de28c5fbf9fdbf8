"""The hooks that stand before what cannot be taken back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

import advice
import stack_outputs
from clients.pocketbase import Login, Request
from errors import STACK, Fix, Remedy, UserError
from lifecycle import delete_guard
from lifecycle.bootstrap import Target
from lifecycle.delete_guard import BackupBeforeDelete
from lifecycle.errors import in_thread
from lifecycle.migration import Origin

OWNER = "o/p/s"
FROZEN = datetime(2026, 11, 26, 12, tzinfo=UTC)


@dataclass
class World:
    app: dict[str, Any] | None
    at: str | None = "another"
    done: list[str] = field(default_factory=list)
    fails: bool = False
    late: str | None = None
    """What was written after the data was carried."""
    lost: Any = None
    """What it has lost with its disk."""
    asked: list[Request] = field(default_factory=list)
    """Requests of others."""

    def __call__(self, *_: object) -> World:
        return self

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def known(self, app_id: str) -> dict[str, Any] | None:
        return self.app

    def find(self, name: str) -> dict[str, Any] | None:
        return self.app

    def freeze(self, url: str, operator: Any, state: str) -> None:
        self.done.append(f"frozen: {state}")

    def keep(self, source: Any, origin: Any, backup_config: Any, reason: str) -> Any:
        if self.fails:
            raise UserError("old was not changed, because its backup failed.", cause="no space")
        self.done.append(f"backup of {source.name} for a {reason}")
        return type("Kept", (), {"id": "kept"})()


@dataclass
class Context:
    expected: Any
    traffic: Any = None
    policy: Any = None
    backup_config: Any = None
    generation: int = 2
    restore_from: str | None = None
    locked: bool = False


def app(*, generation: int = 1, running: bool = True, owner: str = OWNER) -> dict[str, Any]:
    envs = [{"key": "GENERATION", "value": str(generation)}, {"key": "STACK", "value": owner}]
    spec = {"name": "old", "services": [{"name": "service", "envs": envs}]}
    return {"id": "id", "spec": spec, "active_deployment": {"id": "d", "spec": spec} if running else None}


def target() -> Target:
    rest = dict.fromkeys(("endpoint", "health_path", "console", "release", "email", "password", "operator"), "x")
    return Target(app_id="id", service="service", owner=OWNER, **rest)


def keeper(world: World, monkeypatch: pytest.MonkeyPatch) -> BackupBeforeDelete:
    monkeypatch.setattr(delete_guard, "AppPlatform", world)
    monkeypatch.setattr(delete_guard, "app_with_traffic", lambda traffic: world.at)
    monkeypatch.setattr(delete_guard, "session_of", lambda *_: Origin("http://old", Login(token="t", id="i")))
    monkeypatch.setattr(delete_guard, "freeze", world.freeze)
    monkeypatch.setattr(delete_guard, "record_requests", lambda *_: None)
    monkeypatch.setattr(delete_guard, "backend_time", lambda url: FROZEN)
    monkeypatch.setattr(delete_guard, "requests_since", lambda url, operator, moment, health: world.asked)
    monkeypatch.setattr(delete_guard, "SOCKET_SECONDS", 0.0)
    monkeypatch.setattr(delete_guard, "back_up", world.keep)
    monkeypatch.setattr(delete_guard, "record_backup", lambda *arguments: world.done.append(f"noted {arguments[3]}"))
    monkeypatch.setattr(delete_guard, "written_since", lambda *_: world.late)
    monkeypatch.setattr(delete_guard, "find_lost", lambda *_: world.lost)
    made = object.__new__(BackupBeforeDelete)
    made._context = Context(
        expected=type("E", (), {"endpoint": "e", "health_path": "/api/health", "owner": OWNER})(),
        policy=type("P", (), {"drain": 0.0})(),
        traffic=type("T", (), {"url": "http://127.0.0.1:9", "health": "/health"})(),
    )  # type: ignore[assignment]
    monkeypatch.setattr(made, "_prune", lambda newest: world.done.append(f"pruned but {newest}"))
    return made


def test_a_backup_of_an_empty_disk_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(app(), lost=type("Lost", (), {"summary": "old is empty since then"})())
    keeper(world, monkeypatch)._back_up(target())
    assert "noted ['old is empty since then']" in world.done


@pytest.mark.parametrize(
    "generation, restore_from, at, reason",
    [
        (1, None, "another", "wipe"),
        (1, "kept", "another", "restore"),
        (2, None, "another", "release"),
        (1, None, None, "delete"),
    ],
)
def test_what_goes_is_backed_up_first(
    monkeypatch: pytest.MonkeyPatch, generation: int, restore_from: str | None, at: str | None, reason: str
) -> None:
    world = World(app(generation=generation), at)
    keeper_ = keeper(world, monkeypatch)
    keeper_._context.restore_from = restore_from  # type: ignore[misc]
    keeper_._back_up(target())
    assert world.done == ["frozen: moved", f"backup of old for a {reason}", "noted []", "pruned but kept"]


def test_a_backup_that_fails_fails_the_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(app(), fails=True)
    with pytest.raises(pulumi.RunError, match="old was not changed, because its backup failed: no space"):
        asyncio.run(in_thread(keeper(world, monkeypatch)._back_up, target()))
    assert world.done == ["frozen: moved"]


@pytest.mark.parametrize("running", [True, False])
def test_another_stacks_app_is_neither_frozen_nor_deleted(monkeypatch: pytest.MonkeyPatch, running: bool) -> None:
    """As in the state of a stack that was copied."""
    world = World(app(running=running, owner="o/p/other"))
    with pytest.raises(UserError, match=r"^The app old belongs to o/p/other, not to o/p/s, so it is not changed"):
        keeper(world, monkeypatch)._back_up(target())
    assert world.done == []


@pytest.mark.parametrize("running", [True, False])
def test_another_stacks_app_is_not_deployed_over(monkeypatch: pytest.MonkeyPatch, running: bool) -> None:
    made = keeper(World(app(running=running, owner="o/p/other")), monkeypatch)
    with pytest.raises(UserError, match="belongs to o/p/other"):
        made._refuse_deployment("id")


@pytest.mark.parametrize(
    "there, words",
    [
        (app(owner="o/p/other"), "exists already and does not belong to o/p/s: it belongs to o/p/other."),
        (app(owner=""), "it has no owner. Fix: run `oracle adopt s` to adopt it; or "),
        (app(), "run `oracle recover s` if an update that was killed made it; or "),
    ],
)
def test_an_app_is_not_made_under_a_name_that_is_taken(
    monkeypatch: pytest.MonkeyPatch, there: dict[str, Any], words: str
) -> None:
    made = keeper(World(there), monkeypatch)

    async def named() -> str:
        return "old"

    monkeypatch.setattr("lifecycle.errors.owner", lambda: SimpleNamespace(stack="s"))
    made._app = SimpleNamespace(future=named)  # type: ignore[assignment]
    with pytest.raises(pulumi.RunError) as caught:
        asyncio.run(made._check_name(None))  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_an_app_of_a_free_name_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper(World(None), monkeypatch)._refuse_taken("old")


def test_an_app_with_traffic_is_not_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(app(), at="old")
    with pytest.raises(UserError, match="old is not deleted: the api Worker still sends its requests to it") as caught:
        keeper(world, monkeypatch)._back_up(target())
    assert caught.value.helps == (Remedy.RETRY,)
    assert world.done == []


def test_an_app_that_others_still_ask_is_not_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Request(at="2026-11-26 12:00:03.000Z", method="GET", path="/api/collections/posts/records", agent="", ip="")
    world = World(app(), asked=[asked])
    with pytest.raises(UserError) as refused:
        keeper(world, monkeypatch)._back_up(target())
    assert str(refused.value).startswith(
        "old is not deleted: it still gets requests, such as GET /api/collections/posts/records at 2026-11-26 12:00:03 "
        "UTC by a client that does not name itself. A client has its address http://old in place of POCKETBASE_URL"
    )
    assert world.done == ["frozen: moved", "backup of old for a wipe"]


def test_nobody_is_looked_for_where_nothing_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(app(), at=None, asked=[Request(at="", method="GET", path="/api/x", agent="curl", ip="")])
    keeper(world, monkeypatch)._back_up(target())
    assert world.done[-1] == "pruned but kept"


def test_an_app_that_was_written_to_late_stays_until_somebody_has_seen_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(app(), late="posts: abc")
    with pytest.raises(UserError, match=r"old is not deleted: .* migrated \(posts: abc\).* backup kept,") as caught:
        keeper(world, monkeypatch)._back_up(target())
    assert advice.text(caught.value, "prod", "").endswith(
        "Fix: enter the records that are needed in the serving backend, then run `ORACLE_LATE_WRITES=old pulumi up "
        "--stack prod` to delete old."
    )
    assert "pruned but kept" not in world.done
    monkeypatch.setenv(stack_outputs.LATE_WRITES, "another")
    with pytest.raises(UserError, match="old is not deleted"):
        keeper(world, monkeypatch)._back_up(target())
    monkeypatch.setenv(stack_outputs.LATE_WRITES, "old")
    keeper(world, monkeypatch)._back_up(target())
    assert world.done[-2:] == ["noted ['written after its data was migrated: posts: abc']", "pruned but kept"]


@pytest.mark.parametrize("gone", [None, app(running=False)])
def test_what_never_ran_or_is_gone_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch, gone: dict[str, Any] | None
) -> None:
    world = World(gone)
    keeper(world, monkeypatch)._back_up(target())
    assert world.done == []


def test_only_the_app_that_was_named_goes_without_a_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(stack_outputs.WITHOUT_BACKUP, "another-app")
    world = World(app())
    keeper(world, monkeypatch)._back_up(target())
    assert "backup of old for a wipe" in world.done
    monkeypatch.setenv(stack_outputs.WITHOUT_BACKUP, "old")
    world = World(app())
    keeper(world, monkeypatch)._back_up(target())
    assert world.done == ["noted ['without a backup, as asked for']"]


def test_a_deployment_over_an_app_that_runs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="The app old was changed or rolled back by hand"):
        keeper(World(app()), monkeypatch)._refuse_deployment("id")
    keeper(World(app(running=False)), monkeypatch)._refuse_deployment("id")
    keeper(World(None), monkeypatch)._refuse_deployment("id")


def test_a_locked_stack_keeps_its_last_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(app(), at=None)
    keeping_ = keeper(world, monkeypatch)
    keeping_._context.locked = True  # type: ignore[misc]
    with pytest.raises(UserError, match=r"old is not deleted: the stack is protected ") as caught:
        keeping_._back_up(target())
    assert caught.value.helps == (Fix(f"oracle unlock {STACK}", "to allow the deletion"),)
    assert world.done == []


def test_a_locked_stack_lets_a_successor_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(app(), at="successor")
    keeping_ = keeper(world, monkeypatch)
    keeping_._context.locked = True  # type: ignore[misc]
    keeping_._back_up(target())
    assert "backup of old for a wipe" in world.done
