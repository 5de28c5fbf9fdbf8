"""What a new app starts with, and what is taken up again after an update that ended halfway."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from clients.app_platform import AppPlatformError
from clients.pocketbase import DataSummary, Login
from components import backend_data
from components.backend_data import DataProvider
from errors import UserError
from lifecycle import replica
from lifecycle.backup_config import BackupConfig
from lifecycle.context import Source
from lifecycle.migration import Migrated
from tests.support.owners import owner

OLD, NEW = "id-of-old", "id-of-new"


def props(**changed: Any) -> dict[str, Any]:
    base = {
        **dict.fromkeys(backend_data.TARGET, "x"),
        "app_id": NEW,
        "app": "new",
        "generation": 1.0,
        "restore_from": "",
        "ephemeral": False,
        "restart": 0.0,
        "traffic": {"endpoint": "e", "account": "a", "script": "s", "url": "u", "owner": "o/p/s"},
        "policy": {"drain": 0.0, "freeze": 60.0},
        "backup_config": {"owner": str(owner()), "store": "folder:backups"},
    }
    return {**base, **changed}


ADMIN = Login(token="t", id="i")
HELD = DataSummary(
    records={"posts": 12, "humans": 3, "_superusers": 1}, users=3, files=2, last_write="2026-11-22T16:00:00Z"
)
LOSS = (
    "data | old is emptied: 3 humans, 12 posts; 2 files; last write 2026-11-22T16:00:00Z. A verified backup is taken "
    "first."
)


@pytest.mark.parametrize(
    "changed, told",
    [
        ({}, ""),
        ({"generation": 2.0}, LOSS),
        ({"ephemeral": True}, LOSS),
        ({"app_id": OLD, "app": "old", "restart": 1.0}, LOSS),
        ({"generation": 2.0, "restore_from": "kept"}, f"data | generation 2 starts from the backup kept\n{LOSS}"),
    ],
)
def test_a_preview_says_in_numbers_what_is_lost(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changed: dict[str, Any],
    told: str,
) -> None:
    monkeypatch.setattr(backend_data, "login", lambda *_, **__: ADMIN)
    monkeypatch.setattr(backend_data, "summarize_data", lambda *_: HELD)
    assert DataProvider().diff("data", props(app_id=OLD, app="old"), props(**changed)).changes
    assert capsys.readouterr().err.strip() == told


def test_a_state_of_an_older_program_is_read_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_data, "login", lambda *_, **__: ADMIN)
    monkeypatch.setattr(backend_data, "summarize_data", lambda *_: HELD)
    older = {key: value for key, value in props(app_id=OLD, app="old").items() if key != "owner"}
    assert DataProvider().diff("data", older, props(generation=2.0)).changes


def test_a_wipe_without_a_backup_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(backend_data, "login", lambda *_, **__: ADMIN)
    monkeypatch.setattr(backend_data, "summarize_data", lambda *_: HELD)
    monkeypatch.setenv("ORACLE_NO_BACKUP", "old")
    assert DataProvider().diff("data", props(app_id=OLD, app="old"), props(generation=2.0)).changes
    assert "last write 2026-11-22T16:00:00Z. No backup is taken." in capsys.readouterr().err


@dataclass
class World:
    """The clouds, and what was done to them."""

    at: str | None = "old"
    """Whom the api Worker serves."""
    apps: dict[str, Source] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def __call__(self, *_: object, **__: object) -> World:
        return self

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def find(self, name: str) -> dict[str, Any] | None:
        return next(
            ({"id": each.app_id, "spec": {"name": name}} for each in self.apps.values() if each.name == name), None
        )

    def known(self, app_id: str) -> dict[str, Any] | None:
        found = {"id": app_id, "spec": {"name": self.apps[app_id].name}} if app_id in self.apps else None
        return found and {**found, "active_deployment": {"id": "d"}}

    def app(self, app_id: str) -> dict[str, Any]:
        return {"id": app_id, "spec": {"name": self.apps[app_id].name}}

    def url(self, app_id: str) -> str:
        return f"http://{app_id}"


def app(app_id: str, name: str, generation: int = 1, *, running: bool = True) -> Source:
    return Source(app_id=app_id, name=name, generation=generation, release="r", running=running)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(apps={OLD: app(OLD, "old"), NEW: app(NEW, "new")})
    monkeypatch.setattr(backend_data, "AppPlatform", made)
    monkeypatch.setattr(backend_data, "app_with_traffic", lambda traffic: made.at)
    monkeypatch.setattr(backend_data, "bootstrap", lambda target, fresh: f"http://{target.app_id}")
    monkeypatch.setattr(Source, "of", classmethod(lambda cls, found, service: made.apps[found["id"]]))

    def carry(platform: Any, source: Source, target: Any, *_: Any) -> Migrated:
        made.done.append(f"carry {source.name} to {target.app_id}")
        return Migrated({"posts": 1}, None)

    def restore(target: Any, backup_config: Any, backup: str) -> Migrated:
        made.done.append(f"restore {backup} to {target.app_id}")
        return Migrated({"posts": 1}, None)

    def note(backup_config: Any, kind: str, *_: Any) -> None:
        made.done.append(kind)

    monkeypatch.setattr(backend_data, "migrate", carry)
    monkeypatch.setattr(backend_data, "restore", restore)
    monkeypatch.setattr(backend_data, "record_change", note)
    monkeypatch.setattr(backend_data, "refuse_lost", lambda *_: None)
    monkeypatch.setattr(
        backend_data, "require_empty", lambda platform, target, url: made.done.append(f"looks into {url}")
    )
    return made


def updated(olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    return DataProvider().update("data", olds, news).outs or {}


@pytest.mark.parametrize(
    "changed, problem",
    [
        (
            {"app_id": NEW, "app": "new"},
            "The new app could not be filled, and the data of the previous app is not changed.",
        ),
        ({"restart": 1.0}, "The container of old could not be replaced."),
    ],
    ids=["fill", "restart"],
)
def test_a_failure_of_a_cloud_is_the_cause_of_a_problem(
    world: World, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], problem: str
) -> None:
    failure = AppPlatformError("The platform does not answer.")

    def fail(*_: Any, **__: Any) -> None:
        raise failure

    for name in ("bootstrap", "replace_container"):
        monkeypatch.setattr(backend_data, name, fail)
    with pytest.raises(UserError) as caught:
        updated(props(app_id=OLD, app="old"), props(**{"app_id": OLD, "app": "old", **changed}))
    assert (caught.value.problem, caught.value.cause) == (problem, failure)


def test_a_preview_says_that_the_traffic_could_not_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise AppPlatformError("The platform does not answer.")

    monkeypatch.setattr(backend_data, "app_with_traffic", fail)
    with pytest.raises(UserError, match=r"^The app that gets the traffic could not be read: The platform does not"):
        DataProvider().diff("data", props(), props())


def test_the_first_app_starts_empty(world: World) -> None:
    world.at = None
    outs = DataProvider().create(props()).outs or {}
    assert world.done == ["first"]
    assert (outs["url"], outs["origin"]) == (f"http://{NEW}", "empty")


def test_a_release_carries(world: World) -> None:
    outs = updated(props(app_id=OLD, app="old"), props())
    assert world.done == [f"carry old to {NEW}", "release"]
    assert outs["origin"] == "migrated from old"


def test_the_data_of_a_disk_that_became_empty_is_not_carried(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its container may be replaced after the plan was made."""

    def refuse(_: Any, source: Source, logins: dict[str, Any], backup_config: BackupConfig, __: str) -> None:
        raise UserError(f"{source.name} is empty: oracle restore kept {backup_config.owner.stack}")

    monkeypatch.setattr(backend_data, "refuse_lost", refuse)
    with pytest.raises(UserError, match="old is empty: oracle restore kept local"):
        updated(props(app_id=OLD, app="old"), props())
    assert world.done == []
    updated(props(app_id=OLD, app="old"), props(generation=2.0))
    assert world.done == [f"looks into http://{NEW}", "wipe"]


def test_a_wipe_starts_empty(world: World) -> None:
    outs = updated(props(app_id=OLD, app="old"), props(generation=2.0))
    assert world.done == [f"looks into http://{NEW}", "wipe"]
    assert outs["origin"] == "empty"


def test_a_restore_starts_from_the_backup(world: World) -> None:
    outs = updated(props(app_id=OLD, app="old"), props(generation=2.0, restore_from="kept"))
    assert world.done == [f"restore kept to {NEW}", "restore"]
    assert outs["origin"] == "restored from kept"


def test_a_release_of_a_restored_generation_carries(world: World) -> None:
    world.apps[OLD] = app(OLD, "old", 2)
    updated(props(app_id=OLD, app="old", generation=2.0), props(generation=2.0, restore_from="kept"))
    assert world.done == [f"carry old to {NEW}", "release"]


def test_an_ephemeral_release_starts_empty(world: World) -> None:
    updated(props(app_id=OLD, app="old"), props(ephemeral=True))
    assert world.done == ["release"]


@pytest.mark.parametrize("at, changed, kind", [(None, {}, "first"), ("old", {"generation": 2.0}, "wipe")])
def test_an_image_with_litestream_has_filled_itself_from_nowhere_and_replicates(
    world: World, monkeypatch: pytest.MonkeyPatch, at: str | None, changed: dict[str, Any], kind: str
) -> None:
    world.at = at
    if at is None:
        del world.apps[OLD]
    monkeypatch.setattr(replica, "is_replicated", lambda *_: True)
    monkeypatch.setattr(replica, "verify", lambda *_: world.done.append("proves its replica"))
    updated(props(app_id=OLD, app="old"), props(**changed))
    assert world.done == [f"looks into http://{NEW}", "proves its replica", kind]


def test_an_app_that_never_ran_has_nothing_to_carry(world: World) -> None:
    world.apps[OLD] = app(OLD, "old", running=False)
    updated(props(app_id=OLD, app="old"), props())
    assert world.done == ["release"]


def test_where_the_traffic_is_decides_and_not_what_the_state_knows(world: World) -> None:
    """A second release while the first one's traffic never moved: the first app is still the one with the data."""
    world.apps["id-of-between"] = app("id-of-between", "between")
    updated(props(app_id="id-of-between", app="between"), props())
    assert world.done == [f"carry old to {NEW}", "release"]


def test_a_wipe_that_ended_halfway_stays_a_wipe_for_the_next_release(world: World) -> None:
    """Generation 2 was made and never got the traffic; its next app must not get generation 1's data."""
    world.apps["id-of-between"] = app("id-of-between", "between", 2)
    updated(props(app_id="id-of-between", app="between", generation=2.0), props(generation=2.0))
    assert world.done == [f"looks into http://{NEW}", "wipe"]


@pytest.mark.parametrize(
    "at, changes",
    [("old", True), ("new", False), (None, False), ("long-gone", False)],
)
def test_data_is_carried_again_while_the_traffic_has_not_moved(world: World, at: str | None, changes: bool) -> None:
    world.at = at
    assert DataProvider().diff("data", props(), props()).changes is changes


def test_what_was_filled_but_not_reached_is_filled_again(world: World) -> None:
    updated(props(), props())
    assert world.done == [f"carry old to {NEW}", "release"]


def test_another_password_or_console_touches_no_data(world: World) -> None:
    world.at = "new"
    assert not DataProvider().diff("data", props(), props(password="other", console="other")).changes


def test_taking_restore_from_out_touches_no_data(world: World) -> None:
    world.at = "new"
    assert not DataProvider().diff("data", props(restore_from="kept"), props()).changes
