"""A backup's contents are read by opening it, and damage is found before the backup counts."""

from __future__ import annotations

import random
import sqlite3
import stat
import tracemalloc
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from storage.backups import BackupsError, Contents, inspect
from tests.storage.backups.conftest import Write
from tests.support.errors import raises_text

FILES = {
    "storage/pbc_1/rec_1/photo_x.png": b"12345",
    "storage/pbc_1/rec_1/photo_x.png.attrs": b"{}",
    "storage/pbc_1/rec_1/thumbs_photo_x.png/100x100_photo_x.png": b"small",
    "storage/pbc_1/rec_1/thumbs_photo_x.png/100x100_photo_x.png.attrs": b"{}",
    "storage/pbc_1/rec_2/thumbs_up.txt": b"1234567",
    "types.d.ts": b"interface",
}


def test_records_files_and_the_last_write_are_counted(write_archive: Write, scratch: Path) -> None:
    contents = inspect(write_archive(FILES), scratch)
    assert contents == Contents(
        records={"humans": 2, "posts": 1, "_superusers": 1},
        files=2,
        file_bytes=12,
        users=2,
        last_write="2026-01-02T10:00:00.000Z",
        content=contents.content,
    )
    assert contents.content.keys() == {"humans", "posts"}
    assert not list(scratch.iterdir())


def changed(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("entry", ["data.db", "storage/pbc_1/rec_1/photo_x.png", "types.d.ts"])
def test_a_flipped_bit_in_any_entry_is_found(entry: str, write_archive: Write, scratch: Path) -> None:
    path = write_archive(FILES)
    with zipfile.ZipFile(path) as zipped:
        info = zipped.getinfo(entry)
    changed(path, info.header_offset + 30 + len(entry) + info.compress_size // 2)
    with raises_text(BackupsError, r"is damaged \(.*\)\. Fix: run `oracle backup prod`\.$"):
        inspect(path, scratch)
    assert not list(scratch.iterdir())


def test_any_changed_byte_causes_at_most_one_sentence(write_archive: Write, scratch: Path) -> None:
    """The damage is the same each time; a byte that is never read may go unnoticed, but no other error is raised."""
    path, chance = write_archive(FILES), random.Random(4)
    sound = path.read_bytes()
    told: list[str] = []
    for _ in range(150):
        path.write_bytes(sound)
        changed(path, chance.randrange(len(sound)))
        try:
            inspect(path, scratch)
        except BackupsError as error:
            told.append(str(error))
    assert len(told) > 100
    assert all(len(sentence.splitlines()) == 1 for sentence in told)
    assert not list(scratch.iterdir())


@pytest.mark.parametrize("left", [0, 10, 500, -1, -30])
def test_a_truncated_archive_is_damaged(left: int, write_archive: Write, scratch: Path) -> None:
    path = write_archive(FILES)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(BackupsError, match="is damaged"):
        inspect(path, scratch)


def test_a_missing_archive_is_reported(scratch: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupsError, match=r"none\.zip cannot be used"):
        inspect(tmp_path / "none.zip", scratch)


def test_a_database_damaged_before_packing_is_found(write_archive: Write, scratch: Path, tmp_path: Path) -> None:
    """Its CRC is right."""
    with zipfile.ZipFile(write_archive()) as zipped:
        data = bytearray(zipped.read("data.db"))
    page = int.from_bytes(data[16:18], "big")
    data[page + 3 : page + 60] = b"\xff" * 57
    with pytest.raises(BackupsError, match=r"is damaged \(data\.db: "):
        inspect(write_archive({"data.db": bytes(data)}, database=False), scratch)


def test_an_index_that_does_not_match_its_table_is_found(write_archive: Write, scratch: Path, tmp_path: Path) -> None:
    """Every page can be read and every query answers; only the integrity check finds it."""
    with zipfile.ZipFile(write_archive()) as zipped:
        (tmp_path / "odd.db").write_bytes(zipped.read("data.db"))
    with closing(sqlite3.connect(tmp_path / "odd.db")) as odd, odd:
        odd.execute("CREATE INDEX by_id ON humans (id)")
        odd.execute("PRAGMA writable_schema=ON")
        odd.execute("UPDATE sqlite_master SET sql = 'CREATE INDEX by_id ON humans (updated)' WHERE name = 'by_id'")
    entries = {"data.db": (tmp_path / "odd.db").read_bytes()}
    with pytest.raises(BackupsError, match=r"is damaged \(data\.db: .*by_id"):
        inspect(write_archive(entries, database=False), scratch)


def test_the_database_of_logs_is_checked_too(write_archive: Write, scratch: Path) -> None:
    with pytest.raises(BackupsError, match=r"is damaged \(auxiliary\.db: "):
        inspect(write_archive({"auxiliary.db": b"no database at all" * 100}), scratch)


@pytest.mark.parametrize("entries", [{}, {"storage/a/b/c": b"x"}, {"data.db": b""}, {"other/data.db": b"x"}])
def test_an_archive_that_is_not_a_backup_is_refused(
    entries: dict[str, bytes], write_archive: Write, scratch: Path
) -> None:
    with pytest.raises(BackupsError, match=r"is damaged \((no data\.db|data\.db: no such table)"):
        inspect(write_archive(entries, database=False), scratch)


def test_records_in_the_write_ahead_log_are_counted(write_archive: Write, scratch: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(write_archive()) as zipped:
        (tmp_path / "live.db").write_bytes(zipped.read("data.db"))
    with closing(sqlite3.connect(tmp_path / "live.db")) as live:
        live.execute("PRAGMA journal_mode=WAL")
        live.execute("PRAGMA wal_autocheckpoint=0")
        live.execute("INSERT INTO posts VALUES ('q', '2026-01-03 10:00:00.000Z', '')")
        live.commit()
        entries = {f"data.db{end}": (tmp_path / f"live.db{end}").read_bytes() for end in ("", "-wal")}
    contents = inspect(write_archive(entries, database=False), scratch)
    assert contents.records["posts"] == 2
    assert contents.last_write == "2026-01-03T10:00:00.000Z"


@pytest.mark.parametrize(
    "name", ["../data.db", "storage/../../x", "/etc/passwd", "C:/x", "a\\..\\b", "storage/a/b/c\0.png"]
)
def test_a_name_outside_of_the_archive_is_refused(
    name: str, write_archive: Write, scratch: Path, tmp_path: Path
) -> None:
    path = write_archive({"storage/a/b/harmless": b"x"})
    with zipfile.ZipFile(path, "a") as zipped:
        info = zipfile.ZipInfo("x")
        info.filename = name
        zipped.writestr(info, b"x")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BackupsError, match="leads out of it"):
        inspect(path, scratch)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, scratch])


def test_a_link_is_refused(write_archive: Write, scratch: Path) -> None:
    path = write_archive()
    with zipfile.ZipFile(path, "a") as zipped:
        link = zipfile.ZipInfo("storage/a/b/c")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(link, b"/etc/passwd")
    with pytest.raises(BackupsError, match="is no plain file"):
        inspect(path, scratch)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_duplicate_name_is_refused(write_archive: Write, scratch: Path) -> None:
    path = write_archive()
    with zipfile.ZipFile(path, "a") as zipped:
        zipped.writestr("data.db", b"another")
    with pytest.raises(BackupsError, match="it has a name twice"):
        inspect(path, scratch)


def test_a_large_archive_is_read_in_pieces(write_archive: Write, scratch: Path) -> None:
    path = write_archive({"storage/a/b/large": bytes(48 << 20), "auxiliary.db": b""})
    tracemalloc.start()
    try:
        assert inspect(path, scratch).file_bytes == 48 << 20
        assert tracemalloc.get_traced_memory()[1] < 6 << 20
    finally:
        tracemalloc.stop()
