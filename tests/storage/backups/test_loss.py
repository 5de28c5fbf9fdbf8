"""When a backend has lost its data with its disk, and when it has not."""

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


def test_the_newest_backup_of_the_app_says_what_it_held() -> None:
    found = known_of(entry(), [entry()], [backup("b2", LAST), backup("b1", LATER, posts=29)], None)
    assert (found.records, found.at, found.backup) == ({"posts": 30}, LAST, "b2")


def test_without_one_the_ledger_does_and_the_app_before_has_the_backup() -> None:
    found = known_of(entry(), [BACKED_UP, entry()], [OF_BEFORE], None)
    assert (found.records, found.at, found.backup) == ({"posts": 28}, FILLED, "of-before")
    assert known_of(entry(), [BACKED_UP, entry()], [], None).backup is None  # it has been cleared away


def test_a_restored_app_goes_back_to_what_it_was_restored_from() -> None:
    """Not to the backup of the app that the restore has replaced, which is newer."""
    restored, junk = backup("restored", BEFORE, app="older"), backup("of-before", LATER, app="app", posts=3)
    assert known_of(entry("restore"), [BACKED_UP, entry("restore")], [junk, restored], "restored").backup == "restored"


def test_what_was_emptied_on_purpose_held_nothing() -> None:
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


def test_the_disk_that_was_filled_has_the_operator_whatever_it_holds() -> None:
    """Somebody who deletes posts is no alarm."""
    assert found(OPERATOR) is None
    assert found(OPERATOR, second_factor=True) is None


def test_a_new_disk_has_an_admin_of_its_own_and_no_operator() -> None:
    lost = found(LOGINS.email)
    assert lost is not None
    assert (lost.since, lost.now, lost.known.records) == (LAST, {"posts": 1}, {"posts": 30})
    assert lost.summary == (
        "app-g1-r2 is empty since 2026-11-22T12:00Z: its container was replaced, and the new disk has 1 records "
        "(1 posts); it had 30 records (30 posts) at 2026-11-22T11:00Z"
    )
    assert lost.known.recovery == RestoreBackup("b")


def test_a_new_disk_after_the_password_was_changed_knows_nobody() -> None:
    """The image makes the admin with the password that the app was made with."""
    lost = found()
    assert lost is not None
    assert lost.now is None
    assert "has neither of the program's logins" in lost.summary


def test_an_operator_that_somebody_deleted_is_no_new_disk() -> None:
    assert found(LOGINS.email, since=BEFORE) is None


def test_an_app_made_by_hand_has_no_ledger_and_no_loss() -> None:
    assert found(LOGINS.email, entries=[]) is None


def test_an_app_that_is_gone_is_known_by_the_ledger() -> None:
    kept: Any = Stored([entry()])
    known = last_known("app-g1-r2", 1, kept, kept, None)
    assert known is not None
    assert known.summary == "30 records (30 posts) (as of 2026-11-22T11:00Z)"
    assert known.recovery == RestoreBackup("b")
    assert last_known("app-g1-r2", 2, kept, kept, None) is None  # a wipe of it had begun
    assert last_known("another", 1, kept, kept, None) is None
