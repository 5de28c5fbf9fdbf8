"""`oracle history` and `--undo`, read from the audit log, and the numbers of a backend's data."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cli.backups.stack_backups import StackBackups
from cli.engine.pulumi import Engine
from cli.ui import phrases
from cli.ui.errors import CommandError
from cli.ui.prompt import confirm, refuse_unattended
from clients.pocketbase import DataSummary
from stack_outputs import Release
from storage.backups import AuditLog, Backup, BackupOrigin, Contents, Entry, Folder, open_store
from storage.backups.audit_log import Kind
from storage.releases import items
from storage.releases.store import DeployedRelease
from tests.support.errors import refused
from tests.support.owners import owner


def entry(at: int, kind: Kind, before: str | None, after: str | None, **rest: Any) -> Entry:
    known: dict[str, Any] = {
        "at": f"2026-11-22T16:{at:02}:00Z",
        "kind": kind,
        "who": "ada",
        "from_app": before,
        "from_app_id": before,
        "to_app_id": after,
        "from_generation": 1 if before else None,
        "from_release": None,
        "to_app": after,
        "to_generation": 2 if after else None,
        "to_release": None,
        "records": {},
        "migrated": None,
        "backup": None,
    }
    return Entry(**{**known, **rest})


def stack_backups(tmp_path: Path, *entries: Entry, stack: str = "local") -> StackBackups:
    """Of a stack whose store has these entries; there is neither an engine nor anything that runs."""
    audit_log = AuditLog(open_store("folder:kept", tmp_path), owner(stack))
    for each in entries:
        audit_log.add(each)
    here = SimpleNamespace(
        name=stack,
        private=tmp_path / ".oracle",
        project=tmp_path,
        update=f"pulumi up --stack {stack}",
        settings=lambda: SimpleNamespace(backup=SimpleNamespace(store="folder:kept", endpoint=None, region=None)),
    )
    return StackBackups(cast(Engine, SimpleNamespace(stack=here, owner=owner(stack))))


def keep_backup(made: StackBackups, tmp_path: Path, app: str, **records: int) -> Backup:
    archive = tmp_path / "archive.zip"
    archive.write_bytes(b"bytes")
    about = BackupOrigin(app=app, app_id=app, generation=1, release="", pocketbase="", reason="wipe")
    contents = Contents(records=records, files=0, file_bytes=0, users=0, last_write=None)
    return made.catalog_without_key.add(archive, about, contents)


def keep_release(made: StackBackups, tmp_path: Path, at: int, digit: str) -> DeployedRelease:
    """A release whose image has the digest of that digit, its bytes in the store."""
    digest = digit * 64
    receipt = Release(
        backend=f"sha256:{digest}",
        workers=dict.fromkeys(("api", "web", "universe"), digest),
        assets=dict.fromkeys(("web", "universe"), digest),
        commits={},
    )
    (tmp_path / "bytes").write_bytes(b"")
    for item in items(receipt, packed=True):
        made.store.put(f"{made.engine.owner}/releases/{item.name}", tmp_path / "bytes")
    known: dict[str, Any] = {"release": dict(receipt), "packed": True, "app": "app", "app_id": "app"}
    ran = DeployedRelease(at=f"2026-11-22T16:{at:02}:30Z", who="ada", **known)
    made.releases.note(ran)
    return ran


WIPE = entry(1, "wipe", "app", "app-g2")
BACKED_UP = entry(2, "backed-up", "app", None, backup="kept-1", records={"posts": 3})


def test_a_change_is_shown_with_the_backup_made_before_it(tmp_path: Path) -> None:
    [change] = stack_backups(tmp_path, WIPE, BACKED_UP).changes()
    assert (change.entry.kind, change.backup, change.records) == ("wipe", "kept-1", {"posts": 3})


def test_undo_goes_back_to_before_the_last_wipe_despite_later_releases(tmp_path: Path) -> None:
    release = entry(3, "release", "app-g2", "app-g2-r2")
    later = entry(4, "backed-up", "app-g2", None, backup="kept-2")
    assert stack_backups(tmp_path, WIPE, BACKED_UP, release, later).last_undone() == "kept-1"


def test_an_undo_can_be_undone(tmp_path: Path) -> None:
    undo = entry(3, "restore", "app-g2", "app-g3")
    emptied = entry(4, "backed-up", "app-g2", None, backup="kept-2")
    assert stack_backups(tmp_path, WIPE, BACKED_UP, undo, emptied).last_undone() == "kept-2"


def test_a_restart_can_be_undone_with_its_own_backup(tmp_path: Path) -> None:
    restart = entry(3, "restart", "app-g2", "app-g2", backup="kept-2")
    assert stack_backups(tmp_path, WIPE, BACKED_UP, restart).last_undone() == "kept-2"


def test_undo_of_an_unfinished_wipe_says_how_to_finish_it(tmp_path: Path) -> None:
    with refused(
        r"^The wipe of 2026-11-22T16:01 has no backup yet\. Fix: run `pulumi up --stack local` to finish it; or run "
        r"`oracle backups local` to choose another backup\.$"
    ):
        stack_backups(tmp_path, WIPE).last_undone()


def test_undo_without_a_wipe_is_refused(tmp_path: Path) -> None:
    with refused("^There is no wipe or restore to undo. Fix: run `oracle history local` to see the changes"):
        stack_backups(tmp_path, entry(1, "first", None, "app")).last_undone()


def test_a_deletion_without_a_successor_is_a_change(tmp_path: Path) -> None:
    kinds = [
        change.entry.kind for change in stack_backups(tmp_path, entry(1, "first", None, "app"), BACKED_UP).changes()
    ]
    assert kinds == ["backed-up", "first"]


def test_an_app_with_a_reused_name_is_another_app(tmp_path: Path) -> None:
    """After a destroy the first app has its old name again; the wipe of each app has its own backup."""
    again = entry(5, "wipe", "app", "app-g2", from_app_id="id-2", to_app_id="id-3")
    kept = entry(6, "backed-up", "app", None, from_app_id="id-2", backup="kept-2")
    found = stack_backups(tmp_path, WIPE, BACKED_UP, again, kept).changes()
    assert [change.backup for change in found] == ["kept-2", "kept-1"]


def test_a_wipe_is_undone_by_a_restore_and_a_release_by_a_rollback(tmp_path: Path) -> None:
    """`oracle restore` after a release would keep the release and lose the later writes."""
    made = stack_backups(tmp_path)
    first, _ = keep_release(made, tmp_path, 1, "a"), keep_release(made, tmp_path, 3, "b")
    backup = keep_backup(made, tmp_path, "app-r2", posts=3)
    for each in (
        entry(2, "release", "app", "app-r2", from_release=f"sha256:{'a' * 64}", to_release=f"sha256:{'b' * 64}"),
        entry(2, "backed-up", "app", None, backup="of-the-release"),
        entry(4, "wipe", "app-r2", "app-g2"),
        entry(5, "backed-up", "app-r2", None, backup=backup.id),
    ):
        made.audit_log.add(each)
    found, complaints = made.history()
    assert [(each.entry.kind, each.undo, each.gone) for each in found] == [
        ("wipe", f"oracle restore {backup.id} local", ""),
        ("release", f"oracle rollback local --to {first.id}", ""),
    ]
    assert complaints == []


def test_undo_is_not_offered_when_its_backup_or_release_is_gone(tmp_path: Path) -> None:
    made = stack_backups(tmp_path)
    keep_release(made, tmp_path, 1, "a")
    backup, cut = (keep_backup(made, tmp_path, app, posts=3) for app in ("app-r2", "app-g2"))
    for each in (
        entry(0, "release", "old", "app", from_release=f"sha256:{'c' * 64}"),  # of whose release nothing is known
        entry(2, "release", "app", "app-r2", from_release=f"sha256:{'a' * 64}"),
        entry(4, "wipe", "app-r2", "app-g2"),
        entry(5, "backed-up", "app-r2", None, backup=backup.id),
        entry(6, "wipe", "app-g2", "app-g3"),
        entry(7, "backed-up", "app-g2", None, backup=cut.id),
    ):
        made.audit_log.add(each)
    kept = tmp_path / "kept" / str(owner())
    (kept / f"{backup.id}.zip").unlink()
    (kept / f"{cut.id}.zip").write_bytes(b"byte")
    (kept / "releases" / "assets" / ("a" * 64)).unlink()
    found, complaints = made.history()
    assert [(each.undo, each.gone) for each in found] == [
        (None, "impossible: the backup was deleted or is damaged"),
        (None, "impossible: the backup was deleted or is damaged"),
        (None, "impossible: the earlier release is not stored"),
        (None, "impossible: the earlier release is not stored"),
    ]
    assert len(complaints) == 2
    made.catalog_without_key.delete(backup.id)
    assert made.history()[0][1].gone


def test_a_backup_with_late_writes_has_no_undo(tmp_path: Path) -> None:
    """The app before a release got a late write: its backup is listed without a command."""
    made = stack_backups(tmp_path, entry(1, "release", "app", "app-r2", from_release="sha256:a"))
    backup = keep_backup(made, tmp_path, "app", posts=3)
    made.audit_log.add(
        entry(2, "backed-up", "app", None, backup=backup.id, notes=["written after its data was carried"])
    )
    late, _ = made.history()[0]
    assert (late.entry.kind, late.backup, late.undo, late.gone) == ("backed-up", backup.id, None, "")
    assert late.kind == "delete"


def test_history_reads_each_list_of_the_store_once_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, asked = stack_backups(tmp_path), list[str]()

    def sizes(_: Folder, prefix: str) -> dict[str, int]:
        asked.append(prefix)
        return {}

    monkeypatch.setattr(Folder, "size", lambda *_: pytest.fail("a question for each row"))
    monkeypatch.setattr(Folder, "sizes", sizes)
    assert made.history() == ([], [])
    assert sorted(asked) == [f"{owner()}/", f"{owner()}/audit-log/", f"{owner()}/releases/"]
    assert list(tmp_path.iterdir()) == []


def test_stacks_that_share_a_store_and_an_app_name_have_separate_histories(tmp_path: Path) -> None:
    local, prod = stack_backups(tmp_path, WIPE, BACKED_UP), stack_backups(tmp_path, stack="prod")
    assert prod.changes() == []
    with refused("^There is no wipe or restore to undo. Fix: run `oracle history prod` to see the changes"):
        prod.last_undone()
    assert local.last_undone() == "kept-1"


def test_a_loss_is_described_in_numbers() -> None:
    found = DataSummary(
        records={"posts": 12, "humans": 3, "votes": 0, "_superusers": 1}, users=3, files=2, last_write=None
    )
    assert phrases.loss("app", found) == "app holds 3 humans, 12 posts; 3 users, 2 files; last write never."


@pytest.mark.parametrize(
    "count, text",
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (511_500_000, "511.5 MB"), (2_000_000_000_000, "2000.0 GB")],
)
def test_sizes_are_shown_with_units(count: int, text: str) -> None:
    assert phrases.size(count) == text


def test_confirmation_is_required_unless_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    confirm("local", True, "")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with refused(
        "^There is no terminal to ask for confirmation, so nothing was changed. Fix: run `oracle again --yes`"
    ):
        confirm("local", False, "")
    with refused("^With --json no question is asked, so nothing was changed. Fix: run `oracle again --yes`"):
        refuse_unattended(yes=False, as_json=True)
    refuse_unattended(yes=True, as_json=True)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    with pytest.raises(CommandError, match="nothing was changed"):
        confirm("local", False, "")
    monkeypatch.setattr("builtins.input", lambda _: " local ")
    confirm("local", False, "")
