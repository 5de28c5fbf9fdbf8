"""Writes after the migration of the data are reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lifecycle.audit_entries import Filled, record_backup, record_change, written_since
from lifecycle.backup_config import BackupConfig
from lifecycle.context import Source
from lifecycle.migration import Migrated
from storage.backups import Backup
from tests.support.owners import owner

OLD = Source(app_id="id", name="old", generation=1, release="r", running=True)


@pytest.fixture
def backup_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BackupConfig:
    monkeypatch.chdir(tmp_path)
    rest: dict[str, Any] = dict.fromkeys(("endpoint", "region", "key", "keep_count", "keep_days"))
    made = BackupConfig(owner=owner(), store="folder:kept", **rest)
    carried = Migrated({"posts": 3, "votes": 0}, "2026-11-22T16:00:00Z", {"posts": "p", "votes": "v"})
    record_change(made, "release", OLD, Filled("new", "id-2", 1, "s"), carried, None)
    return made


def backup(**changed: Any) -> Backup:
    known: dict[str, Any] = {
        "id": "kept",
        "owner": str(owner()),
        "app": "old",
        "app_id": "id",
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
        "content": {"posts": "p", "votes": "v"},
    }
    return Backup(**{**known, **changed})


def test_no_writes_cause_no_note(backup_config: BackupConfig) -> None:
    assert written_since(backup_config, OLD, backup()) is None


@pytest.mark.parametrize("content", [{"posts": "q", "votes": "v"}, {"posts": "p", "votes": "v", "new": "n"}])
def test_changed_content_is_reported_by_collection(backup_config: BackupConfig, content: dict[str, str]) -> None:
    notes = written_since(backup_config, OLD, backup(content=content))
    name = "posts" if "new" not in content else "new"
    assert notes == f"{name}: records that were changed or deleted", "the backup itself is not there to be read"


def test_an_app_that_was_not_migrated_causes_no_note(backup_config: BackupConfig) -> None:
    other = Source(app_id="another", name="old", generation=1, release="r", running=True)
    assert written_since(backup_config, other, backup(last_write=None)) is None


def test_an_entry_names_the_old_app_and_its_owner(backup_config: BackupConfig) -> None:
    record_change(backup_config, "release", OLD, Filled("new", "id-2", 1, "s"), None, None)
    record_change(
        backup_config, "release", replace(OLD, release="of nobody"), Filled("new", "id-3", 1, "s"), None, None
    )
    record_change(backup_config, "restart", OLD, Filled("old", "id", 1, "r"), None, backup())
    record_backup(backup_config, OLD, backup(reason="release"), [])
    record_backup(backup_config, OLD, backup(reason="wipe"), [])
    entries = backup_config.audit_log().entries()[:-1]
    assert {(entry.from_app_id, entry.owner) for entry in entries} == {("id", str(owner()))}
