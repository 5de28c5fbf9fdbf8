"""The delete guard: the hooks that run before a change that cannot be undone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

import advice
import stack_outputs
from errors import STACK, Fix, Remedy, UserError
from lifecycle.delete_guard import DataGuard
from lifecycle.errors import in_thread
from storage.backups import Backup, Entry
from tests.support.fake_pocketbase import FakePocketBase
from tests.support.fakes import EMAIL, FakeAccount, app, context, target, worker

OTHER = "o/p/other"
FILLED = Entry(
    at="2026-11-20T10:00:00Z",
    kind="release",
    who="ann",
    from_app="older",
    from_generation=1,
    from_release=None,
    to_app="old",
    to_generation=1,
    to_release=None,
    records={},
    migrated={"posts": 3},
    backup=None,
)
"""The data of `old` was migrated from an older app."""


@dataclass
class World:
    """The app `old`, whose backend has posts, and an api Worker that sends its requests to another app."""

    account: FakeAccount
    backend: FakePocketBase

    def __post_init__(self) -> None:
        self.context = context(self.account, generation=2)

    def serve(self, name: str | None) -> None:
        self.account.workers = {"api": worker(name)} if name else {}

    def run(self, **how: Any) -> None:
        """Make `old` an app such as this."""
        self.account.apps["id"] = app("id", "old", self.backend.url, **how)

    def guard(self, **changed: Any) -> DataGuard:
        return DataGuard(replace(self.context, **changed))

    def back_up(self, **changed: Any) -> None:
        self.guard(**changed).back_up(target("id"))

    @property
    def backups(self) -> list[Backup]:
        return self.context.backup_config.catalog().list()

    @property
    def entries(self) -> list[Entry]:
        return self.context.backup_config.audit_log().entries()

    def has_changed_nothing(self) -> bool:
        return (self.account.calls, self.backups, self.entries) == ([], [], [])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("clients.pocketbase.requests.BATCH", 8)  # that many requests fill a batch of the fake's log
    account = FakeAccount()
    with FakePocketBase("old", account.calls, {"posts": 3}) as backend:
        made = World(account, backend)
        made.run()
        made.serve("another")
        yield made


def written_late(world: World, post: str) -> None:
    """The data of `old` was migrated to another app, and then a post was written to it."""
    audit_log = world.context.backup_config.audit_log()
    content = {"posts": "the digest of the posts then"}
    moved = replace(FILLED, from_app="old", from_app_id="id", to_app="another", content=content)
    audit_log.add(replace(moved, last_write="2026-11-23T00:00:00.000Z"))
    world.backend.write("posts", post, at="2026-11-24 00:00:00.000Z")


def test_the_backup_of_an_empty_disk_is_marked(world: World) -> None:
    world.context.backup_config.audit_log().add(FILLED)
    [admin] = (each for each in world.backend.superusers if each["email"] == EMAIL)
    admin["created"] = "2026-11-22 12:00:00.000Z"
    world.backend.superusers = [admin]
    world.back_up()
    [note] = world.entries[0].notes
    assert note == (
        "old is empty since 2026-11-22T12:00Z: its container was replaced, and the new disk has 3 records (3 posts); "
        "it had 3 records (3 posts) at 2026-11-20T10:00Z"
    )


@pytest.mark.parametrize(
    "generation, restore_from, at, reason",
    [
        (1, None, "another", "wipe"),
        (1, "kept", "another", "restore"),
        (2, None, "another", "release"),
        (1, None, None, "delete"),
    ],
)
def test_an_app_is_backed_up_before_it_is_deleted(
    world: World, generation: int, restore_from: str | None, at: str | None, reason: str
) -> None:
    world.run(generation=generation)
    world.serve(at)
    world.back_up(restore_from=restore_from)
    [backup] = world.backups
    assert (backup.app, backup.reason, backup.records["posts"]) == ("old", reason, 3)
    assert world.backend.freeze == "moved"
    assert world.account.calls[:3] == ["old: freeze moved", "sleep 2", "old: backup"]
    [entry] = world.entries
    assert (entry.kind, entry.from_app, entry.backup, entry.notes) == ("backed-up", "old", backup.id, [])


def test_old_backups_are_deleted_but_the_new_one_and_the_restored_one(world: World) -> None:
    world.back_up()
    world.back_up()
    newer, restored = world.backups
    world.back_up(backup_config=replace(world.context.backup_config, keep_count=1), restore_from=restored.id)
    assert [each.id for each in world.backups][1:] == [restored.id]
    assert world.backups[0].id not in (newer.id, restored.id)


def test_a_failed_backup_prevents_the_deletion(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifecycle.errors.owner", lambda: SimpleNamespace(stack="s"))
    world.backend.refuses.add("backup")
    with pytest.raises(pulumi.RunError, match=r"old was not changed, because its backup failed: .* did not create the"):
        asyncio.run(in_thread(world.back_up))
    assert world.account.calls == ["old: freeze moved", "sleep 2"]
    assert (world.backups, world.entries) == ([], [])


@pytest.mark.parametrize("running", [True, False])
def test_an_app_of_another_stack_is_neither_frozen_nor_deleted(world: World, running: bool) -> None:
    """A copied state contains such an app."""
    world.run(running=running, owner=OTHER)
    with pytest.raises(UserError, match=r"^The app old belongs to o/p/other, not to .*/local, so it is not changed"):
        world.back_up()
    assert world.has_changed_nothing()


@pytest.mark.parametrize("running", [True, False])
def test_an_app_of_another_stack_is_not_deployed_over(world: World, running: bool) -> None:
    world.run(running=running, owner=OTHER)
    with pytest.raises(UserError, match="belongs to o/p/other"):
        world.guard().refuse_deployment("id")


@pytest.mark.parametrize(
    "how, words",
    [
        ({"owner": OTHER}, "exists already and does not belong to organization/oracle-net/local: it belongs to o/p/ot"),
        ({"owner": None}, "it has no owner. Fix: run `oracle adopt s` to adopt it; or "),
        ({}, "run `oracle recover s` if an update that was killed made it; or "),
    ],
)
def test_an_app_is_not_created_under_a_taken_name(world: World, how: dict[str, Any], words: str) -> None:
    world.run(**how)
    with pytest.raises(UserError) as caught:
        world.guard().refuse_taken("old")
    assert words in advice.text(caught.value, "s", "")


def test_an_app_is_created_under_a_free_name(world: World) -> None:
    world.guard().refuse_taken("free")
    assert world.has_changed_nothing()


def test_an_app_with_traffic_is_not_deleted(world: World) -> None:
    world.serve("old")
    with pytest.raises(UserError, match="old is not deleted: the api Worker still sends its requests to it") as caught:
        world.back_up()
    assert caught.value.helps == (Remedy.RETRY,)
    assert world.has_changed_nothing()


def asked(path: str, agent: str = "") -> dict[str, Any]:
    """A request in a backend's log."""
    return {"created": "2026-11-26 12:00:03.000Z", "data": {"method": "GET", "url": path, "userAgent": agent}}


def test_an_app_that_still_gets_requests_is_not_deleted(world: World) -> None:
    world.backend.asked = [asked("/api/collections/posts/records")]
    with pytest.raises(UserError) as refused:
        world.back_up()
    assert str(refused.value).startswith(
        "old is not deleted: it still gets requests, such as GET /api/collections/posts/records at 2026-11-26 12:00:03 "
        f"UTC by a client that does not name itself. A client has its address {world.backend.url} in place of "
        "POCKETBASE_URL"
    )
    assert [backup.reason for backup in world.backups] == ["wipe"]
    assert world.entries == []


def test_requests_are_not_checked_when_no_backend_serves(world: World) -> None:
    world.serve(None)
    world.backend.asked = [asked("/api/x", "curl")]
    world.back_up()
    assert world.entries[0].kind == "backed-up"


def test_an_app_with_late_writes_is_deleted_only_after_confirmation(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_late(world, "late")
    with pytest.raises(UserError, match=r"old is not deleted: .* migrated \(posts: late\)") as caught:
        world.back_up()
    assert f"in the backup {world.backups[0].id}, but" in str(caught.value)
    assert advice.text(caught.value, "prod", "").endswith(
        "Fix: enter the records that are needed in the serving backend, then run `ORACLE_LATE_WRITES=old pulumi up "
        "--stack prod` to delete old."
    )
    assert [entry.kind for entry in world.entries] == ["release"]
    monkeypatch.setenv(stack_outputs.LATE_WRITES, "another")
    with pytest.raises(UserError, match="old is not deleted"):
        world.back_up()
    monkeypatch.setenv(stack_outputs.LATE_WRITES, "old")
    world.back_up()
    assert world.entries[0].notes == ["written after its data was migrated: posts: late"]


@pytest.mark.parametrize("there", [True, False])
def test_a_missing_or_never_started_app_does_not_block_the_deletion(world: World, there: bool) -> None:
    world.account.apps.clear()
    if there:
        world.run(running=False)
    world.back_up()
    assert world.has_changed_nothing()


def test_only_the_named_app_is_deleted_without_a_backup(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(stack_outputs.WITHOUT_BACKUP, "another-app")
    world.back_up()
    assert [backup.reason for backup in world.backups] == ["wipe"]
    world.account.calls.clear()
    monkeypatch.setenv(stack_outputs.WITHOUT_BACKUP, "old")
    world.back_up()
    assert (len(world.backups), world.account.calls) == (1, [])
    assert (world.entries[0].backup, world.entries[0].notes) == (None, ["without a backup, as asked for"])


def test_a_deployment_over_a_running_app_is_refused(world: World) -> None:
    with pytest.raises(UserError, match="The app old was changed or rolled back by hand"):
        world.guard().refuse_deployment("id")
    world.run(running=False)
    world.guard().refuse_deployment("id")
    world.account.apps.clear()
    world.guard().refuse_deployment("id")


def test_a_protected_stack_does_not_lose_its_last_backend(world: World) -> None:
    world.serve(None)
    with pytest.raises(UserError, match=r"old is not deleted: the stack is protected ") as caught:
        world.back_up(locked=True)
    assert caught.value.helps == (Fix(f"oracle unlock {STACK}", "to allow the deletion"),)
    assert world.has_changed_nothing()


def test_a_protected_stack_allows_a_successor(world: World) -> None:
    world.serve("successor")
    world.back_up(locked=True)
    assert [backup.reason for backup in world.backups] == ["wipe"]
