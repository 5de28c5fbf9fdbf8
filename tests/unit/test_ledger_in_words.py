"""What `oracle history` and `--undo` make of the ledger, and of a backend's numbers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from backups import Entry, Ledger, open_store
from backups.ledger import Kind
from ops import words
from ops.ask import confirm
from ops.custody import StackCustody
from ops.failures import Failure
from pocketbase import Census


def entry(at: int, kind: Kind, before: str | None, after: str | None, **rest: Any) -> Entry:
    known: dict[str, Any] = {
        "at": f"2026-11-22T16:{at:02}:00Z",
        "kind": kind,
        "who": "ada",
        "from_app": before,
        "from_generation": 1 if before else None,
        "from_release": None,
        "to_app": after,
        "to_generation": 2 if after else None,
        "to_release": None,
        "records": {},
        "carried": None,
        "backup": None,
        "undo": None,
    }
    return Entry(**{**known, **rest})


def custody(tmp_path: Path, *entries: Entry) -> StackCustody:
    ledger = Ledger(open_store("folder:kept", tmp_path), "jellyfish-app")
    for each in entries:
        ledger.add(each)
    made = object.__new__(StackCustody)
    made.engine = cast(Any, SimpleNamespace(stack=SimpleNamespace(name="local")))
    made.settings = cast(Any, SimpleNamespace(backend=SimpleNamespace(app_name="jellyfish-app")))
    made.__dict__["store"] = ledger.store
    return made


WIPE = entry(1, "wipe", "app", "app-g2")
KEPT = entry(2, "kept", "app", None, backup="kept-1", records={"posts": 3})


def test_a_change_is_told_with_the_backup_of_what_was_before(tmp_path: Path) -> None:
    [change] = custody(tmp_path, WIPE, KEPT).changes()
    assert (change.entry.kind, change.backup, change.records) == ("wipe", "kept-1", {"posts": 3})


def test_the_undo_goes_back_to_before_the_last_wipe_whatever_was_released_since(tmp_path: Path) -> None:
    release = entry(3, "release", "app-g2", "app-g2-r2")
    later = entry(4, "kept", "app-g2", None, backup="kept-2")
    assert custody(tmp_path, WIPE, KEPT, release, later).last_undone() == "kept-1"


def test_an_undo_is_undone_by_the_next_one(tmp_path: Path) -> None:
    undo = entry(3, "restore", "app-g2", "app-g3")
    emptied = entry(4, "kept", "app-g2", None, backup="kept-2")
    assert custody(tmp_path, WIPE, KEPT, undo, emptied).last_undone() == "kept-2"


def test_a_restart_carries_its_own_backup(tmp_path: Path) -> None:
    restart = entry(3, "restart", "app-g2", "app-g2", backup="kept-2")
    assert custody(tmp_path, WIPE, KEPT, restart).last_undone() == "kept-2"


def test_a_wipe_whose_backup_is_still_to_come_says_how_to_finish_it(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"The wipe of 2026-11-22T16:01 has no backup yet; finish it: pulumi up -s local"):
        custody(tmp_path, WIPE).last_undone()


def test_nothing_to_undo(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="Nothing was wiped that could be undone; see: oracle history local"):
        custody(tmp_path, entry(1, "first", None, "app")).last_undone()


def test_what_was_deleted_without_a_successor_is_told_too(tmp_path: Path) -> None:
    kinds = [change.entry.kind for change in custody(tmp_path, entry(1, "first", None, "app"), KEPT).changes()]
    assert kinds == ["kept", "first"]


def test_a_loss_in_numbers() -> None:
    found = Census(records={"posts": 12, "humans": 3, "votes": 0, "_superusers": 1}, users=3, files=2, last_write=None)
    assert words.loss("app", found) == "app holds 3 humans, 12 posts; 3 users, 2 files; last write never."


@pytest.mark.parametrize(
    "count, text",
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (511_500_000, "511.5 MB"), (2_000_000_000_000, "2000.0 GB")],
)
def test_sizes(count: int, text: str) -> None:
    assert words.size(count) == text


def test_agreement_is_never_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    confirm("local", True, "oracle wipe local", "")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(Failure, match="oracle wipe local --yes"):
        confirm("local", False, "oracle wipe local", "")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    with pytest.raises(Failure, match="nothing was changed"):
        confirm("local", False, "oracle wipe local", "")
    monkeypatch.setattr("builtins.input", lambda _: " local ")
    confirm("local", False, "oracle wipe local", "")
