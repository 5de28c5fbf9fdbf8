"""The check for open deleted database files, on this process's own files. Each test can run alone."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.live.databases import PROCESSES, is_deleted_database, open_files


@pytest.mark.skipif(not PROCESSES.is_dir(), reason="only Linux shows the open files of a process so")
def test_a_deleted_wal_is_found_while_the_database_is_open(tmp_path: Path) -> None:
    database = tmp_path / "data.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE posts (title TEXT)")
        mine = [path for path in open_files(os.getpid()) if path.startswith(str(tmp_path))]
        assert f"{database}-wal" in mine
        assert not [path for path in mine if is_deleted_database(path)]
        Path(f"{database}-wal").unlink()
        gone = [path for path in open_files(os.getpid()) if is_deleted_database(path)]
        assert gone == [f"{database}-wal (deleted)"]


def test_deleted_temporary_files_are_not_databases() -> None:
    assert not is_deleted_database("/disk/pb_data/etilqs_2f8a (deleted)")
    assert not is_deleted_database("/disk/pb_data/data.db-wal")
    assert is_deleted_database("/disk/pb_data/auxiliary.db-shm (deleted)")
