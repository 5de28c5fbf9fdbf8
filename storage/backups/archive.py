"""Read and verify a PocketBase backup: a zip of the whole pb_data folder.

PocketBase (core/base_backup.go) writes data.db, auxiliary.db and storage/<collection>/<record>/<file>. Each file has a
<file>.attrs with its metadata beside it, and its thumbnails in thumbs_<file>/ (tools/filesystem).
"""

from __future__ import annotations

import errno
import hashlib
import json
import sqlite3
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from errors import Remedy
from storage.backups.errors import BackupsError, disk
from storage.backups.files import Digest, copy, room, whole

DATABASES = ("data.db", "auxiliary.db")
JOURNALS = tuple(f"{name}-wal" for name in DATABASES)
# Errors of a full disk. SQLite creates two small files beside a database before it reads it.
DISK = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
SUPERUSERS = "_superusers"


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The contents of a backup, in numbers and digests."""

    records: dict[str, int]
    """Record counts by collection, including PocketBase's own collections, without views."""
    files: int
    """Number of uploaded files, without thumbnails and metadata."""
    file_bytes: int
    users: int
    """Number of records in all auth collections, without superusers."""
    last_write: str | None
    """ISO 8601 in UTC: the newest autodate in the collections that are not PocketBase's own."""
    content: dict[str, str] = field(default_factory=dict)
    """SHA-256 in hex over all records of each collection that is not PocketBase's own. Equal records, equal digest."""


def inspect(archive: Path, scratch: Path) -> Contents:
    """Read every byte of the archive and check its databases. Raises BackupsError when anything is damaged.

    The databases are unpacked below `scratch` and removed afterwards.
    """
    with _opened(archive) as zipped, room(scratch) as folder:
        files, file_bytes = 0, 0
        for entry in zipped.infolist():
            _check_entry(entry, archive)
            _extract(zipped, entry, folder)
            if _is_upload(PurePosixPath(entry.filename)) and not entry.is_dir():
                files, file_bytes = files + 1, file_bytes + entry.file_size
        for name in DATABASES:
            _check_database(folder / name, archive)
        records, users, last_write = _count(folder / DATABASES[0], archive)
        content = _digests(folder / DATABASES[0], archive)
    return Contents(
        records=records, files=files, file_bytes=file_bytes, users=users, last_write=last_write, content=content
    )


def written_after(archive: Path, scratch: Path, moment: str | None, collections: Iterable[str]) -> dict[str, list[str]]:
    """Return the ids of records with an autodate later than `moment` (ISO 8601), by collection; for None, all ids.

    A collection without autodate fields has an empty list. Raises BackupsError.
    """
    with _opened(archive) as zipped, room(scratch) as folder:
        for name in (DATABASES[0], JOURNALS[0]):
            if name in zipped.namelist():
                _extract(zipped, zipped.getinfo(name), folder)
        with _database(folder / DATABASES[0], archive) as database:
            return {name: _later(database, name, (moment or "").replace("T", " ")) for name in sorted(collections)}


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """Open the archive. Errors of zipfile become BackupsError, also while the block reads entries."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            names = zipped.namelist()
            if len(set(names)) != len(names):
                raise zipfile.BadZipFile("it has a name twice")
            if DATABASES[0] not in names:
                raise zipfile.BadZipFile(f"no {DATABASES[0]}")
            yield zipped
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, UnicodeDecodeError) as error:
        raise _damaged(archive, str(error) or type(error).__name__) from None
    except OSError as error:
        raise disk(error, archive) from None


def _check_entry(entry: zipfile.ZipInfo, archive: Path) -> None:
    """Raise BackupsError for an entry that is no plain file below the top: unpacking it could write elsewhere."""
    name = entry.orig_filename
    path = PurePosixPath(name)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or name[1:2] == ":":
        raise _damaged(archive, f"the name {name!r} leads out of it")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _damaged(archive, f"{name!r} is no plain file")


def _extract(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    """Read an entry to its end, where zipfile compares its CRC. Databases are written to `folder`."""
    with zipped.open(entry) as source:
        if entry.filename in DATABASES + JOURNALS:
            with whole(folder / entry.filename) as sink:
                copy(source, sink)
        else:
            copy(source, Digest())


def _is_upload(path: PurePosixPath) -> bool:
    """Return whether the path is storage/<collection>/<record>/<file>."""
    return path.parts[:1] == ("storage",) and len(path.parts) == 4 and path.suffix != ".attrs"


@contextmanager
def _database(path: Path, archive: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path)) as database:
            yield database
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in DISK:
            raise disk(OSError(errno.ENOSPC, ""), path) from None
        raise _damaged(archive, f"{path.name}: {error}") from None
    except (sqlite3.Error, ValueError, LookupError, TypeError) as error:
        raise _damaged(archive, f"{path.name}: {error}") from None


def _check_database(path: Path, archive: Path) -> None:
    """Run SQLite's integrity check. A missing file passes: PocketBase recreates auxiliary.db, which holds its logs."""
    if not path.exists():
        return
    with _database(path, archive) as database:
        (verdict,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise _damaged(archive, f"{path.name}: {verdict}")


def _count(path: Path, archive: Path) -> tuple[dict[str, int], int, str | None]:
    """Return the records by collection, the number of users, and the newest autodate."""
    records: dict[str, int] = {}
    users, newest = 0, ""
    with _database(path, archive) as database:
        tables = database.execute('SELECT name, type, "system", fields FROM _collections ORDER BY name').fetchall()
        for name, kind, system, fields in tables:
            if kind == "view":
                continue
            (records[name],) = database.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()
            users += records[name] if kind == "auth" and name != SUPERUSERS else 0
            newest = newest if system else max(newest, _newest(database, name, fields))
    return records, users, newest.replace(" ", "T") or None


def _digests(path: Path, archive: Path) -> dict[str, str]:
    digests: dict[str, str] = {}
    with _database(path, archive) as database:
        tables = database.execute("""SELECT name FROM _collections WHERE type != 'view' ORDER BY name""").fetchall()
        for (name,) in tables:
            if not name.startswith("_"):
                digests[name] = _digest(database, name)
    return digests


def _digest(database: sqlite3.Connection, table: str) -> str:
    cursor = database.execute(f"SELECT * FROM {_quoted(table)} LIMIT 0")
    columns = sorted(column[0] for column in cursor.description)
    selected = ", ".join(_quoted(column) for column in columns)
    digest = hashlib.sha256(repr(columns).encode())
    for row in database.execute(f"SELECT {selected} FROM {_quoted(table)} ORDER BY id"):
        digest.update(repr(row).encode())
    return digest.hexdigest()


def _later(database: sqlite3.Connection, table: str, moment: str) -> list[str]:
    row = database.execute("SELECT fields FROM _collections WHERE name = ?", (table,)).fetchone()
    dates = [str(field["name"]) for field in json.loads(row[0]) if field["type"] == "autodate"] if row else []
    if not dates:
        return []
    condition = " OR ".join(f"{_quoted(name)} > ?" for name in dates)
    rows = database.execute(f"SELECT id FROM {_quoted(table)} WHERE {condition} ORDER BY id", [moment] * len(dates))
    return [str(id) for (id,) in rows]


def _newest(database: sqlite3.Connection, table: str, fields: str) -> str:
    """Return the newest autodate. PocketBase's dates are text that sorts by time: "2026-01-31 23:59:59.000Z"."""
    columns = [str(field["name"]) for field in json.loads(fields) if field["type"] == "autodate"]
    queries = [f"SELECT max({_quoted(column)}) FROM {_quoted(table)}" for column in columns]
    return max((str(database.execute(query).fetchone()[0] or "") for query in queries), default="")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _damaged(archive: Path, what: str) -> BackupsError:
    return BackupsError(f"The archive {archive.name} is damaged ({what.rstrip('.')}).", Remedy.TAKE_BACKUP)
