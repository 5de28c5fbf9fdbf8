"""An update continues over an empty disk only when the user asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from errors import STACK, Fix, RestoreBackup, UserError
from lifecycle.backend_disk import DiskProvider
from lifecycle.backup_config import BackupConfig
from storage.backups import BackupOrigin, Contents, Entry
from tests.support.errors import shown_text
from tests.support.fake_pocketbase import FakePocketBase
from tests.support.fakes import OWNER, TRAFFIC, FakeAccount, app, target, worker

FILLED = Entry(
    at="2026-11-22T09:00:00Z",
    kind="first",
    who="ann",
    from_generation=None,
    from_release=None,
    to_app="app",
    to_generation=1,
    to_release=None,
    records={},
    migrated=None,
    backup=None,
)


def props(**changed: Any) -> dict[str, Any]:
    made = {
        **vars(target("id")),
        "generation": 1.0,
        "restart": 0.0,
        "restore_from": "",
        "traffic": asdict(TRAFFIC),
        "backup_config": {"owner": OWNER, "store": "folder:backups"},
    }
    return {**made, **changed}


@dataclass
class World:
    """The app has the traffic and an empty disk, and the program has filled it before."""

    backend: FakePocketBase
    account: FakeAccount = field(default_factory=FakeAccount)
    config: BackupConfig = field(default_factory=lambda: BackupConfig.of(props()["backup_config"]))

    def __post_init__(self) -> None:
        self.provider = DiskProvider()
        self.provider.clouds = self.account.clouds
        self.account.workers["api"] = worker("app")
        self.run()

    def run(self, *, replicated: bool = False) -> None:
        self.account.apps["id"] = app("id", "app", self.backend.url, replicated=replicated)

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        return self.provider.check(olds, news).inputs

    def filled(self) -> None:
        self.config.audit_log().add(FILLED)

    def held(self, posts: int) -> str:
        """The app held these posts, and has a backup of them; returns the backup's id."""
        self.filled()
        archive = self.config.scratch() / "archive.zip"
        archive.write_bytes(b"bytes")
        about = BackupOrigin(app="app", app_id="id", generation=1, release="", pocketbase="", reason="manual")
        contents = Contents(records={"posts": posts}, files=0, file_bytes=0, users=0, last_write=None)
        return self.config.catalog().add(archive, about, contents).id


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    with FakePocketBase() as backend:
        backend.replace_disk()
        yield World(backend)


def test_an_update_over_an_empty_disk_is_refused_with_two_fixes(world: World) -> None:
    backup = world.held(posts=28)
    with pytest.raises(UserError) as refused:
        world.check(props(), props())
    assert refused.value.problem.startswith("app is empty since 2036-01-01T00:00Z")
    assert "it had 28 records (28 posts)" in refused.value.problem
    assert shown_text(refused.value).endswith(
        f"Nothing was changed. Fix: run `oracle restore {backup} prod` to restore its records; or run `oracle wipe "
        "prod` to go on with an empty backend."
    )


@pytest.mark.parametrize("begun", [{"generation": 2.0}, {"restart": 1.0}])
def test_a_wipe_or_restart_over_an_empty_disk_is_accepted_and_recorded(world: World, begun: dict[str, Any]) -> None:
    world.held(posts=28)
    provider = world.provider
    assert world.check(props(), props(**begun)) == props(**begun)
    assert provider.diff("", provider.create(props()).outs or {}, props(**begun)).changes
    assert not provider.diff("", provider.update("", props(), props(**begun)).outs or {}, props(**begun)).changes


def test_an_unfinished_wipe_over_an_empty_disk_continues(world: World) -> None:
    """The app with the traffic is of the former generation, whose data is not needed."""
    world.held(posts=28)
    wiped = props(generation=2.0)
    assert world.check(wiped, wiped) == wiped


def test_a_missing_app_with_known_records_is_not_replaced_by_an_empty_one(world: World) -> None:
    world.account.apps.clear()
    assert world.check(props(), props()) == props(), "nothing is known of it"
    world.filled()
    assert world.check(props(), props()) == props(), "it held no records"
    backup = world.held(posts=28)
    with pytest.raises(UserError, match=r"The app app was deleted with its data: 28 records ") as refused:
        world.check(props(), props())
    assert refused.value.helps[0] == RestoreBackup(backup)


def test_a_first_update_and_a_refresh_do_not_check_the_disk(world: World) -> None:
    world.held(posts=28)
    assert world.check({}, props()) == props()
    assert not world.provider.diff("", {"generation": 1.0, "restart": 0.0}, props()).changes


def test_a_backend_that_held_nothing_is_let_through(world: World) -> None:
    assert world.check(props(), props()) == props(), "the program has not filled it"
    world.held(posts=0)
    assert world.check(props(), props()) == props()


def test_a_backend_that_does_not_answer_is_let_through(world: World) -> None:
    world.held(posts=28)
    world.account.apps["id"]["live_url"] = "http://127.0.0.1:9"
    assert world.check(props(), props()) == props()


def test_a_restart_empties_no_app_that_would_fill_itself(world: World) -> None:
    world.run(replicated=True)
    wanted = props(restart=1.0)
    with pytest.raises(UserError, match=r"so oracle-net:restart would not empty it\.$") as caught:
        world.check(props(), wanted)
    assert caught.value.helps == (Fix(f"oracle wipe {STACK}", "to empty it"),)
    world.check(props(), {**wanted, "restart": 0.0, "generation": 2.0})
    world.run()
    world.check(props(), wanted)


def test_passwords_are_not_in_the_state() -> None:
    assert DiskProvider().create(props()).outs == {"generation": 1.0, "restart": 0.0}
