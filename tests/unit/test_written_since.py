"""Writes that came after the data was carried are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backups import Backup
from components.custody import Custody
from components.history import Filled, note_change, written_since
from components.transfer import Carried, Source

OLD = Source(app_id="id", name="old", generation=1, release="r", running=True)


@pytest.fixture
def custody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Custody:
    monkeypatch.chdir(tmp_path)
    rest: dict[str, Any] = dict.fromkeys(("endpoint", "region", "key", "keep_count", "keep_days"))
    made = Custody(label="jellyfish-app", store="folder:kept", **rest)
    carried = Carried({"posts": 3}, "2026-11-22T16:00:00Z")
    note_change(made, "release", OLD, Filled("new", 1, "s"), carried, None)
    return made


def backup(**changed: Any) -> Backup:
    known: dict[str, Any] = {
        "id": "kept",
        "stack": "jellyfish-app",
        "app": "old",
        "generation": 1,
        "release": "r",
        "pocketbase": "",
        "reason": "release",
        "created": "2026-11-22T16:01:00Z",
        "size": 1,
        "sha256": "0",
        "records": {"posts": 3, "_superusers": 2},
        "files": 0,
        "file_bytes": 0,
        "users": 0,
        "last_write": "2026-11-22T16:00:00Z",
        "encrypted": False,
    }
    return Backup(**{**known, **changed})


def test_nothing_is_told_when_nothing_was_written(custody: Custody) -> None:
    assert written_since(custody, OLD, backup()) is None


@pytest.mark.parametrize("changed", [{"records": {"posts": 4}}, {"last_write": "2026-11-22T16:00:09Z"}])
def test_a_record_or_a_change_that_came_late_is_told(custody: Custody, changed: dict[str, Any]) -> None:
    told = written_since(custody, OLD, backup(**changed))
    assert told is not None
    assert told.startswith("old was written to after its data was carried")
    assert "kept" in told


def test_what_was_never_carried_tells_nothing(custody: Custody) -> None:
    other = Source(app_id="id", name="other", generation=1, release="r", running=True)
    assert written_since(custody, other, backup(last_write=None)) is None
