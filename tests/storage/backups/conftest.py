"""What the tests of backups share: stores of both kinds, shelves, archives like PocketBase's."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from storage.backups import BackupCatalog, BackupOrigin, Bucket, Contents, Folder, Store, new_key
from tests.support.owners import owner

PROD = owner("prod")
STAGING = owner("staging")
ABOUT = BackupOrigin(
    app="jellyfish-app", app_id="app-1", generation=3, release="r7", pocketbase="0.36.9", reason="wipe"
)
CONTENTS = Contents(records={"humans": 2}, files=1, file_bytes=5, users=2, last_write="2026-01-31T23:59:59.000Z")
NUMBERS = itertools.count()
Write = Callable[..., Path]


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-somebody")


@pytest.fixture
def bucket(s3: str, credentials: None) -> Bucket:
    """An empty bucket of its own; objects lie below the prefix "deep/inside"."""
    bucket = Bucket(f"bucket-{next(NUMBERS)}", "deep/inside", endpoint=s3)
    bucket._client().create_bucket(Bucket=bucket.place.bucket)
    return bucket


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "kept")


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest) -> Store:
    made: Store = request.getfixturevalue(request.param)
    return made


@pytest.fixture(scope="session")
def key() -> str:
    return new_key()


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


@pytest.fixture
def catalog(folder: Folder, key: str, scratch: Path) -> Iterator[BackupCatalog]:
    """An encrypting catalog in a folder; the scratch folder is empty afterwards."""
    yield BackupCatalog(folder, PROD, key, scratch)
    assert not scratch.exists() or not list(scratch.iterdir())


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Some bytes to keep, which need not be a zip; more than one piece of age's."""
    path = tmp_path / "archive.zip"
    path.write_bytes(b"plain words. " * 20_000)
    return path


@pytest.fixture
def write_archive(tmp_path: Path) -> Write:
    """write_archive({name: bytes}, database=...) makes a zip with a small PocketBase's data.db and those entries."""

    def write(entries: Mapping[str, bytes] | None = None, database: bool = True) -> Path:
        path = tmp_path / f"pb-{next(NUMBERS)}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            if database:
                zipped.writestr("data.db", small_database(tmp_path / f"data-{next(NUMBERS)}.db"))
            for name, data in (entries or {}).items():
                zipped.writestr(name, data)
        return path

    return write


def small_database(path: Path) -> bytes:
    """Two humans, one post, one of PocketBase's own tables with a later date, and a view."""
    autodate = json.dumps([{"name": "updated", "type": "autodate"}, {"name": "born", "type": "text"}])
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE _collections (name, type, system, fields)")
        for name, kind, system in (
            ("humans", "auth", False),
            ("posts", "base", False),
            ("_superusers", "auth", True),
            ("everything", "view", False),
        ):
            database.execute("INSERT INTO _collections VALUES (?, ?, ?, ?)", (name, kind, system, autodate))
            if kind != "view":
                database.execute(f"CREATE TABLE {name} (id, updated, born)")
        database.execute("CREATE VIEW everything AS SELECT id FROM humans")
        database.execute("INSERT INTO humans VALUES ('a', '2026-01-01 10:00:00.000Z', '9'), ('b', '', '9')")
        database.execute("INSERT INTO posts VALUES ('p', '2026-01-02 10:00:00.000Z', '9')")
        database.execute("INSERT INTO _superusers VALUES ('s', '2026-12-31 10:00:00.000Z', '9')")
    return path.read_bytes()
