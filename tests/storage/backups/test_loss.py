"""The detection of a backend that has lost its data with its disk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clients.pocketbase import OPERATOR
from errors import RestoreBackup
from storage.backups import Backup, Entry
from storage.backups.audit_log import Kind
from storage.backups.loss import Logins, Loss, find_loss, known_of, last_known
from tests.support.fake_pocketbase import FakePocketBase
from tests.support.owners import owner

FILLED = "2026-11-22T10:00:00.000000Z"
BEFORE, LATER, LAST = "2026-11-22T09:00:00.000Z", "2026-11-22T11:00:00.000Z", "2026-11-22T12:00:00.000Z"
LOGINS = Logins(email="admin@example.org", password="the-password", operator="the-operators")


def entry(kind: Kind = "release", **changed: Any) -> Entry:
    made = Entry(
        at=FILLED,
        kind=kind,
        who="ann",
        from_generation=1,
        from_release=None,
        to_generation=1,
        to_release=None,
        records={},
        migrated={"posts": 28},
        backup=None,
        from_app="app",
        to_app="app-g1-r2",
    )
    return replace(made, **changed)


def backup(id: str, created: str, app: str = "app-g1-r2", posts: int = 30, reason: Any = "manual") -> Backup:
    return Backup(
        owner=str(owner()),
        app=app,
        app_id="id",
        generation=1,
        release="",
        pocketbase="",
        reason=reason,
        id=id,
        created=created,
        size=1,
        sha256="",
        records={"posts": posts, "_superusers": 2},
        files=0,
        file_bytes=0,
        users=0,
        last_write=None,
        encrypted=False,
    )


BACKED_UP = entry("backed-up", to_app=None, backup="of-before", migrated=None)
OF_BEFORE = backup("of-before", LATER, app="app", posts=28)


def test_the_newest_backup_of_the_app_defines_the_known_records() -> None:
    found = known_of(entry(), [entry()], [backup("b2", LAST), backup("b1", LATER, posts=29)], None)
    assert (found.records, found.at, found.backup) == ({"posts": 30}, LAST, "b2")


def test_without_a_backup_the_audit_log_defines_the_known_records() -> None:
    found = known_of(entry(), [BACKED_UP, entry()], [OF_BEFORE], None)
    assert (found.records, found.at, found.backup) == ({"posts": 28}, FILLED, "of-before")
    assert known_of(entry(), [BACKED_UP, entry()], [], None).backup is None  # it has been cleared away


def test_the_backup_of_a_restored_app_is_the_restored_one() -> None:
    """Not the newer backup of the app that the restore has replaced."""
    restored, junk = backup("restored", BEFORE, app="older"), backup("of-before", LATER, app="app", posts=3)
    assert known_of(entry("restore"), [BACKED_UP, entry("restore")], [junk, restored], "restored").backup == "restored"


def test_a_deliberately_emptied_app_has_no_known_records() -> None:
    assert not known_of(entry("wipe", migrated=None), [], [backup("b", BEFORE)], None).records
    assert not known_of(entry(), [], [backup("b", LATER, reason="restart")], None).records
    assert not known_of(entry(), [], [backup("b", LATER, posts=0)], None).records


class Stored:
    """An audit log and a catalog."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries

    def entries(self) -> list[Entry]:
        return self._entries

    def list(self) -> list[Backup]:
        return [backup("b", LATER)]


def found(
    *superusers: str, since: str = LAST, entries: list[Entry] | None = None, second_factor: bool = False
) -> Loss | None:
    """The loss of a backend with a post and these superusers, which it has since a moment."""
    stored: Any = Stored([entry()] if entries is None else entries)
    with FakePocketBase(records={"posts": 1}) as backend:
        backend.second_factor = second_factor
        backend.superusers.clear()
        for email in superusers:
            password = LOGINS.operator if email == OPERATOR else LOGINS.password
            backend.add_superuser(email, password, since.replace("T", " "))
        return find_loss(backend.url, LOGINS, "app-g1-r2", stored, stored, None)


def test_a_disk_with_the_operator_is_not_lost() -> None:
    """Users may delete all posts without an alarm."""
    assert found(OPERATOR) is None
    assert found(OPERATOR, second_factor=True) is None


def test_a_new_disk_has_an_admin_but_no_operator() -> None:
    lost = found(LOGINS.email)
    assert lost is not None
    assert (lost.since, lost.now, lost.known.records) == (LAST, {"posts": 1}, {"posts": 30})
    assert lost.summary == (
        "app-g1-r2 is empty since 2026-11-22T12:00Z: its container was replaced, and the new disk has 1 records "
        "(1 posts); it had 30 records (30 posts) at 2026-11-22T11:00Z"
    )
    assert lost.known.recovery == RestoreBackup("b")


def test_a_new_disk_after_a_password_change_refuses_every_login() -> None:
    """The image creates the admin with the first password of the app."""
    lost = found()
    assert lost is not None
    assert lost.now is None
    assert "has neither of the program's logins" in lost.summary


def test_a_deleted_operator_is_not_a_new_disk() -> None:
    assert found(LOGINS.email, since=BEFORE) is None


def test_an_app_made_by_hand_has_no_audit_log_and_no_loss() -> None:
    assert found(LOGINS.email, entries=[]) is None


def test_a_missing_app_is_known_from_the_audit_log() -> None:
    kept: Any = Stored([entry()])
    known = last_known("app-g1-r2", 1, kept, kept, None)
    assert known is not None
    assert known.summary == "30 records (30 posts) (as of 2026-11-22T11:00Z)"
    assert known.recovery == RestoreBackup("b")
    assert last_known("app-g1-r2", 2, kept, kept, None) is None  # a wipe of it had begun
    assert last_known("another", 1, kept, kept, None) is None
