"""A second process on the database of a running backend: the damage, and the repair of later writes.

PocketBase's backup drops the serving process's POSIX locks; the next process that opens and closes the database takes
itself for the last one, and deletes the WAL (SQLite, "How To Corrupt An SQLite Database", 2.2).
"""

from __future__ import annotations

import sqlite3
import subprocess
import zipfile
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from clients.pocketbase import (
    OPERATOR,
    Login,
    create_backup,
    delete_backup,
    download_backup,
    ensure_admin,
    ensure_operator,
    flush_wal,
    login,
)
from lifecycle.bootstrap import HELD, LOCKS
from tests.clients.pocketbase.conftest import session_of
from tests.support.backend import ADMIN, Backend
from tests.support.http import ask

SECRET = "an-operator-password-1"


def deleted_files(backend: Backend) -> set[str]:
    """The names of deleted files that the backend's processes have open."""
    process = psutil.Process(backend.pid)
    links = [
        link.readlink().name
        for each in [process, *process.children(recursive=True)]
        for link in Path(f"/proc/{each.pid}/fd").iterdir()
        if link.is_symlink()
    ]
    return {name.removesuffix(" (deleted)") for name in links if name.endswith(" (deleted)")}


def back_up(backend: Backend, session: Login, target: Path) -> set[str]:
    """The titles of the posts in a new backup."""
    create_backup(backend.url, session, "probe.zip")
    download_backup(backend.url, session, "probe.zip", target)
    delete_backup(backend.url, session, "probe.zip")
    with zipfile.ZipFile(target) as zipped:
        database = zipped.extract("data.db", target.parent)
    with closing(sqlite3.connect(database)) as connection:
        return {text for (text,) in connection.execute("SELECT text FROM notes")}


@pytest.fixture
def operator(backend: Backend) -> Login:
    ensure_operator(backend.url, session_of(backend), SECRET)
    session = login(backend.url, OPERATOR, SECRET)
    assert session is not None
    notes = {"name": "notes", "type": "base", "createRule": "", "fields": [{"name": "text", "type": "text"}]}
    headers = {"authorization": session.token}
    assert ask("POST", f"{backend.url}/api/collections", json=notes, headers=headers).is_success
    return session


def write(backend: Backend, text: str) -> None:
    assert ask("POST", f"{backend.url}/api/collections/notes/records", json={"text": text}).is_success


def test_writes_that_are_only_in_a_deleted_wal_are_saved(backend: Backend, operator: Login, tmp_path: Path) -> None:
    back_up(backend, operator, tmp_path / "first.zip")
    assert backend.command("superuser", "upsert", "x@example.org", "a-password-1").returncode == 0
    if "data.db-wal" not in deleted_files(backend):
        pytest.fail("the second process deletes nothing any more: the console may be used again")
    write(backend, "in the deleted WAL")
    flush_wal(backend.url, operator)
    assert "in the deleted WAL" in back_up(backend, operator, tmp_path / "second.zip")


def test_the_admin_is_repaired_without_a_second_process(backend: Backend, operator: Login, tmp_path: Path) -> None:
    for number in range(3):
        back_up(backend, operator, tmp_path / "backup.zip")
        headers = {"authorization": operator.token}
        body = {"password": f"chosen-by-hand-{number}", "passwordConfirm": f"chosen-by-hand-{number}"}
        path = f"{backend.url}/api/collections/_superusers/records/{session_of(backend).id}"
        assert ask("PATCH", path, json=body, headers=headers).is_success
        assert ensure_admin(backend.url, *ADMIN, SECRET) is True
        write(backend, f"note {number}")
        assert f"note {number}" in back_up(backend, operator, tmp_path / "backup.zip")
        assert deleted_files(backend) == set()


def locks_are_held(backend: Backend) -> bool:
    """As the bootstrap asks in the backend's console."""
    done = subprocess.run(["sh", "-c", LOCKS], cwd=backend.folder, capture_output=True, text=True, check=False)
    return HELD in done.stdout.splitlines()


def test_the_servers_locks_show_if_a_second_process_is_harmless(
    backend: Backend, operator: Login, tmp_path: Path
) -> None:
    assert locks_are_held(backend)
    assert backend.command("superuser", "upsert", "x@example.org", "a-password-1").returncode == 0
    assert deleted_files(backend) == set()
    back_up(backend, operator, tmp_path / "backup.zip")
    assert not locks_are_held(backend)
