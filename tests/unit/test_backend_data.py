"""The data that a new app starts with, and the continuation of an interrupted update."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clients.app_platform import AppPlatformError
from components.backend_data import DataProvider
from errors import RestoreBackup, UserError
from lifecycle import replica
from lifecycle.backup_config import BackupConfig
from storage.backups import Backup, BackupOrigin, Entry, take
from tests.support.fake_pocketbase import FakePocketBase
from tests.support.fakes import OWNER, TRAFFIC, FakeAccount, app, target, worker

OLD, NEW, BETWEEN = "id-of-old", "id-of-new", "id-of-between"
STORE = {"owner": OWNER, "store": "folder:backups"}


def props(**changed: Any) -> dict[str, Any]:
    base = {
        **vars(target(NEW)),
        "app": "new",
        "generation": 1.0,
        "restore_from": "",
        "ephemeral": False,
        "restart": 0.0,
        "traffic": asdict(TRAFFIC),
        "policy": {"drain": 0.0, "freeze": 60.0},
        "backup_config": STORE,
    }
    return {**base, **changed}


@dataclass
class World:
    """The backend `old` has posts and the traffic; `new` and `between` are empty."""

    account: FakeAccount
    backends: dict[str, FakePocketBase]
    config: BackupConfig = field(default_factory=lambda: BackupConfig.of(STORE))

    def __post_init__(self) -> None:
        self.provider = DataProvider()
        self.provider.clouds = self.account.clouds

    def serve(self, name: str | None) -> None:
        self.account.workers = {"api": worker(name)} if name else {}

    def run(self, name: str, generation: int = 1, *, running: bool = True, replicated: bool = False) -> None:
        """Make an app such as this."""
        self.account.apps[f"id-of-{name}"] = app(
            f"id-of-{name}",
            name,
            self.backends[name].url,
            generation=generation,
            running=running,
            replicated=replicated,
        )

    def stored(self, *posts: str) -> Backup:
        """A backup of a backend with these posts."""
        with FakePocketBase("older") as backend:
            backend.write("posts", *posts)
            session = backend.login()
            about = BackupOrigin(app="older", app_id="o", generation=1, release="", pocketbase="", reason="wipe")
            return take(backend.url, session, self.config.catalog(), about)

    def update(self, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        return self.provider.update("data", olds, news).outs or {}

    def changes(self, olds: dict[str, Any], news: dict[str, Any]) -> bool | None:
        return self.provider.diff("data", olds, news).changes

    @property
    def posts(self) -> dict[str, int]:
        """How many posts each backend has."""
        return {name: backend.counts.get("posts", 0) for name, backend in self.backends.items()}

    @property
    def entries(self) -> list[Entry]:
        return self.config.audit_log().entries()

    @property
    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.entries]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    account = FakeAccount()
    with ExitStack() as stack:
        held = {"old": {"posts": 12, "humans": 3}, "new": {}, "between": {"posts": 0}}
        backends = {
            name: stack.enter_context(FakePocketBase(name, account.calls, counts)) for name, counts in held.items()
        }
        made = World(account, backends)
        for name in ("old", "new"):
            made.run(name)
        made.serve("old")
        yield made


OF_OLD = {"app_id": OLD, "app": "old"}
CARRIED = {"old": 12, "new": 12, "between": 0}
UNTOUCHED = {"old": 12, "new": 0, "between": 0}
LOSS = (
    "data | old is emptied: 3 humans, 12 posts; 2 files; last write 2026-11-22T16:00:00.000Z. A verified backup is "
    "taken first."
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
def test_a_preview_shows_how_much_data_is_lost(
    world: World, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], told: str
) -> None:
    world.backends["old"].files = 2
    assert world.changes(props(**OF_OLD), props(**changed))
    assert capsys.readouterr().err.strip() == told


def test_a_state_of_an_older_program_version_is_accepted(world: World) -> None:
    older = {key: value for key, value in props(**OF_OLD).items() if key != "owner"}
    assert world.changes(older, props(generation=2.0))


def test_a_wipe_without_a_backup_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORACLE_NO_BACKUP", "old")
    assert world.changes(props(**OF_OLD), props(generation=2.0))
    assert "last write 2026-11-22T16:00:00.000Z. No backup is taken." in capsys.readouterr().err


@pytest.mark.parametrize(
    "changed, fails, problem",
    [
        (
            {"app_id": NEW, "app": "new"},
            "find",
            "The new app could not be filled, and the data of the previous app is not changed.",
        ),
        ({"restart": 1.0}, "restart", "The container of old could not be replaced."),
    ],
    ids=["fill", "restart"],
)
def test_a_failure_of_a_cloud_is_the_cause_of_a_problem(
    world: World, changed: dict[str, Any], fails: str, problem: str
) -> None:
    failure = AppPlatformError("The platform does not answer.")
    world.account.failures[fails] = failure
    with pytest.raises(UserError) as caught:
        world.update(props(**OF_OLD), props(**{**OF_OLD, **changed}))
    assert (caught.value.problem, caught.value.cause) == (problem, failure)
    assert (world.posts, world.kinds) == (UNTOUCHED, [])


def test_a_preview_says_that_the_traffic_could_not_be_read(world: World) -> None:
    world.account.failures["bindings"] = AppPlatformError("The platform does not answer.")
    with pytest.raises(UserError, match=r"^The app that gets the traffic could not be read: The platform does not"):
        world.changes(props(), props())


def test_the_first_app_starts_empty(world: World) -> None:
    world.serve(None)
    outs = world.provider.create(props()).outs or {}
    assert (world.posts, world.kinds) == (UNTOUCHED, ["first"])
    assert (outs["url"], outs["origin"]) == (world.backends["new"].url, "empty")


def test_a_release_migrates_the_data(world: World) -> None:
    outs = world.update(props(**OF_OLD), props())
    assert outs["origin"] == "migrated from old"
    assert world.backends["new"].counts == {"posts": 12, "humans": 3}
    assert (world.backends["old"].freeze, world.backends["new"].freeze) == ("moving", "open")
    [entry] = world.entries
    assert (entry.kind, entry.from_app, entry.to_app) == ("release", "old", "new")
    assert entry.migrated == {"posts": 12, "humans": 3}


def test_the_data_of_an_emptied_disk_is_not_migrated(world: World) -> None:
    """The platform may replace the container after the plan was made."""
    backup = world.stored("p1", "p2")
    world.serve(None)
    world.provider.create(props(**OF_OLD, restore_from=backup.id))
    world.serve("old")
    assert (world.posts["old"], world.kinds) == (2, ["first"])
    world.backends["old"].replace_disk()
    world.account.calls.clear()
    with pytest.raises(UserError, match=r"^old is empty since .*; it had 2 records \(2 posts\)") as caught:
        world.update(props(**OF_OLD), props(restore_from=backup.id))
    assert caught.value.helps[0] == RestoreBackup(backup.id)
    assert (world.account.calls, world.kinds) == ([], ["first"])
    world.update(props(**OF_OLD), props(generation=2.0))
    assert (world.posts["new"], world.kinds) == (0, ["wipe", "first"])


def test_a_wipe_starts_empty(world: World) -> None:
    outs = world.update(props(**OF_OLD), props(generation=2.0))
    assert (world.posts, world.kinds) == (UNTOUCHED, ["wipe"])
    assert (outs["origin"], world.backends["old"].freeze) == ("empty", "open")


@pytest.mark.parametrize("replicated", [False, True])
def test_a_wipe_looks_into_the_new_app_first(world: World, replicated: bool) -> None:
    """Its image may have filled it from elsewhere."""
    world.run("new", replicated=replicated)
    world.account.apps[NEW]["created_at"] = "2026-11-25T12:00:00Z"
    world.backends["new"].write("posts", "planted")
    with pytest.raises(UserError, match="should be empty, but it started with 1 records"):
        world.update(props(**OF_OLD), props(generation=2.0))
    assert (world.account.calls, world.kinds) == ([], [])


def test_a_restore_starts_from_the_backup(world: World) -> None:
    backup = world.stored("p1", "p2")
    outs = world.update(props(**OF_OLD), props(generation=2.0, restore_from=backup.id))
    assert (world.posts, world.kinds) == ({**UNTOUCHED, "new": 2}, ["restore"])
    assert outs["origin"] == f"restored from {backup.id}"


def test_a_release_of_a_restored_generation_migrates_the_data(world: World) -> None:
    world.run("old", 2)
    world.update(props(**OF_OLD, generation=2.0), props(generation=2.0, restore_from="kept"))
    assert (world.posts, world.kinds) == (CARRIED, ["release"])


def test_a_release_of_an_ephemeral_stack_starts_empty(world: World) -> None:
    world.update(props(**OF_OLD), props(ephemeral=True))
    assert (world.posts, world.kinds) == (UNTOUCHED, ["release"])


@pytest.mark.parametrize("at, changed, kind", [(None, {}, "first"), ("old", {"generation": 2.0}, "wipe")])
def test_an_image_with_litestream_proves_its_replica(
    world: World, at: str | None, changed: dict[str, Any], kind: str
) -> None:
    world.serve(at)
    if at is None:
        del world.account.apps[OLD]
    world.run("new", replicated=True)
    world.update(props(**OF_OLD), props(**changed))
    assert world.account.calls == [f"console: sh -c {replica.EVALUATE} replica prove"]
    assert (world.posts["new"], world.kinds) == (0, [kind])


def test_an_app_that_never_ran_has_no_data_to_migrate(world: World) -> None:
    world.run("old", running=False)
    world.update(props(**OF_OLD), props())
    assert (world.posts, world.kinds) == (UNTOUCHED, ["release"])


def test_the_app_that_has_the_traffic_is_the_source_of_the_data(world: World) -> None:
    """In a second release after an unfinished first one, the first app still has the data."""
    world.run("between")
    world.update(props(app_id=BETWEEN, app="between"), props())
    assert (world.posts, world.kinds, world.entries[0].from_app) == (CARRIED, ["release"], "old")


def test_an_unfinished_wipe_stays_a_wipe_in_the_next_release(world: World) -> None:
    """Generation 2 never got the traffic; its next app must not get the data of generation 1."""
    world.run("between", 2)
    world.update(props(app_id=BETWEEN, app="between", generation=2.0), props(generation=2.0))
    assert (world.posts, world.kinds) == (UNTOUCHED, ["wipe"])


@pytest.mark.parametrize(
    "at, changes",
    [("old", True), ("new", False), (None, False), ("long-gone", False)],
)
def test_data_is_migrated_again_while_the_traffic_has_not_moved(world: World, at: str | None, changes: bool) -> None:
    world.serve(at)
    assert world.changes(props(), props()) is changes


def test_an_app_without_traffic_is_filled_again(world: World) -> None:
    world.update(props(), props())
    world.backends["old"].write("posts", "since")
    world.update(props(), props())
    assert (world.posts, world.kinds) == ({**CARRIED, "old": 13, "new": 13}, ["release", "release"])


def test_a_changed_password_or_console_does_not_touch_the_data(world: World) -> None:
    world.serve("new")
    assert not world.changes(props(), props(password="other", console="other"))


def test_the_removal_of_restore_from_does_not_touch_the_data(world: World) -> None:
    world.serve("new")
    assert not world.changes(props(restore_from="kept"), props())
