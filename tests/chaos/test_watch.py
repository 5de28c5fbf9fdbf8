"""The watch of the chaos tests finds the data, and notices its loss."""

from __future__ import annotations

import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.watch import Watch, titles, watching
from tests.support.waiting import until

DISK = ".oracle/cloud/apps/app/deployment/disk/pb_data/data.db"


def database(path: Path, *names: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE posts (title TEXT)")
        connection.executemany("INSERT INTO posts VALUES (?)", [(name,) for name in names])
        connection.commit()
    return path


def archived(root: Path, name: str, *names: str) -> Path:
    archive = root / f".oracle/backups/organization/oracle-net/local/{name}.zip"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w") as opened:
        opened.write(database(root / f"{name}.db", *names), "data.db")
    return archive


def test_data_on_a_disk_is_found_although_no_backend_answers(tmp_path: Path) -> None:
    database(tmp_path / DISK, "planted")
    assert Watch(tmp_path, "planted").look() == ("disk", False)
    assert Watch(tmp_path, "another").look() == ("nowhere", False)


def test_a_backup_counts_only_with_its_manifest(tmp_path: Path) -> None:
    archive = archived(tmp_path, "backup", "planted")
    watch = Watch(tmp_path, "planted")
    assert watch.look()[0] == "nowhere"
    archive.with_suffix(".json").write_text("{}")
    assert watch.look()[0] == "backup"
    assert watch.backups() == ["backup"]
    assert Watch(tmp_path, "another").look()[0] == "nowhere"
    assert titles(archive) == {"planted"}


def test_a_moment_without_the_data_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = database(tmp_path / DISK, "planted")
    monkeypatch.setattr(Watch, "_has", lambda *_: path.exists())
    monkeypatch.setattr("tests.chaos.watch.addresses", lambda _: ["127.0.0.1:9"])
    with watching(tmp_path, "planted") as watch:
        until(lambda: watch.moments["live"], "it was looked for")
        assert watch.lost == 0
        shutil.rmtree(tmp_path / ".oracle")
        until(lambda: watch.lost, "its loss is noticed")
    assert watch.silent == 0


def test_data_that_was_never_planted_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="was planted, and is not there"), watching(tmp_path, "planted"):
        pass
