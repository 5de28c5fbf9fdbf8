"""The hooks that stand before what cannot be taken back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pytest

import contract
from components import keeping
from components.bootstrap import Target
from components.dynamic import Sentence
from components.keeping import Keeping


@dataclass
class World:
    app: dict[str, Any] | None
    at: str | None = "another"
    done: list[str] = field(default_factory=list)
    fails: bool = False

    def __call__(self, *_: object) -> World:
        return self

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def known(self, app_id: str) -> dict[str, Any] | None:
        return self.app

    def keep(self, platform: Any, source: Any, target: Any, custody: Any, reason: str) -> Any:
        if self.fails:
            raise Sentence("old is not touched, since its backup failed: no space")
        self.done.append(f"backup of {source.name} for a {reason}")
        return type("Kept", (), {"id": "kept"})()


@dataclass
class Care:
    expected: Any
    traffic: Any = None
    policy: Any = None
    custody: Any = None
    generation: int = 2
    restore_from: str | None = None
    locked: bool = False


def app(*, generation: int = 1, running: bool = True) -> dict[str, Any]:
    envs = [{"key": "GENERATION", "value": str(generation)}]
    spec = {"name": "old", "services": [{"name": "service", "envs": envs}]}
    return {"id": "id", "spec": spec, "active_deployment": {"id": "d", "spec": spec} if running else None}


def target() -> Target:
    rest = dict.fromkeys(("endpoint", "health_path", "console", "release", "email", "password", "operator"), "x")
    return Target(app_id="id", service="service", **rest)


def keeper(world: World, monkeypatch: pytest.MonkeyPatch) -> Keeping:
    monkeypatch.setattr(keeping, "AppPlatform", world)
    monkeypatch.setattr(keeping, "served", lambda traffic: world.at)
    monkeypatch.setattr(keeping, "keep", world.keep)
    monkeypatch.setattr(keeping, "note_kept", lambda *arguments: world.done.append(f"noted {arguments[3]}"))
    monkeypatch.setattr(keeping, "written_since", lambda *_: None)
    made = object.__new__(Keeping)
    made._care = Care(expected=type("E", (), {"endpoint": "e"})(), policy=type("P", (), {"drain": 0.0})())  # type: ignore[assignment]
    monkeypatch.setattr(made, "_prune", lambda newest: world.done.append(f"pruned but {newest}"))
    return made


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
    keeper_._care.restore_from = restore_from  # type: ignore[misc]
    keeper_._keep(target())
    assert world.done == [f"backup of old for a {reason}", "noted []", "pruned but kept"]


def test_a_backup_that_fails_fails_the_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(app(), fails=True)
    with pytest.raises(pulumi.RunError, match="old is not touched, since its backup failed"):
        asyncio.run(keeping._told(keeper(world, monkeypatch)._keep, target()))
    assert world.done == []


def test_an_app_with_traffic_is_not_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(app(), at="old")
    with pytest.raises(Sentence, match="still sends its requests to old; it stays"):
        keeper(world, monkeypatch)._keep(target())
    assert world.done == []


@pytest.mark.parametrize("gone", [None, app(running=False)])
def test_what_never_ran_or_is_gone_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch, gone: dict[str, Any] | None
) -> None:
    world = World(gone)
    keeper(world, monkeypatch)._keep(target())
    assert world.done == []


def test_only_the_app_that_was_named_goes_without_a_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(contract.WITHOUT_BACKUP, "another-app")
    world = World(app())
    keeper(world, monkeypatch)._keep(target())
    assert world.done[0] == "backup of old for a wipe"
    monkeypatch.setenv(contract.WITHOUT_BACKUP, "old")
    world = World(app())
    keeper(world, monkeypatch)._keep(target())
    assert world.done == ["noted ['without a backup, as asked for']"]


def test_a_deployment_over_an_app_that_runs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Sentence, match="The app old was changed or rolled back by hand"):
        keeper(World(app()), monkeypatch)._refuse("id")
    keeper(World(app(running=False)), monkeypatch)._refuse("id")
    keeper(World(None), monkeypatch)._refuse("id")


def test_a_locked_stack_keeps_its_last_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(app(), at=None)
    keeping_ = keeper(world, monkeypatch)
    keeping_._care.locked = True  # type: ignore[misc]
    with pytest.raises(Sentence, match=r"old stays: the stack is protected .* oracle unlock STACK$"):
        keeping_._keep(target())
    assert world.done == []


def test_a_locked_stack_lets_a_successor_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(app(), at="successor")
    keeping_ = keeper(world, monkeypatch)
    keeping_._care.locked = True  # type: ignore[misc]
    keeping_._keep(target())
    assert world.done[0] == "backup of old for a wipe"
