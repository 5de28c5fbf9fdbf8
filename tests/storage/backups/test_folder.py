"""A folder as backup store: private file modes, and no incomplete files."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.backups import BackupCatalog, BackupsError, Folder, inspect
from tests.storage.backups.conftest import ABOUT, CONTENTS, PROD, Write
from tests.support.errors import raises_text


def everything(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if not path.is_dir())


def test_files_and_folders_are_readable_only_by_their_owner(folder: Folder, archive: Path) -> None:
    os.umask(before := os.umask(0))
    os.umask(0)
    try:
        folder.put("prod/a.zip", archive)
        folder.write_text("prod/a.json", "{}")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (folder.root, folder.root / "prod")] == [0o700, 0o700]
    assert [path.stat().st_mode & 0o777 for path in everything(folder.root)] == [0o600, 0o600]


def test_a_name_outside_of_the_folder_is_refused(folder: Folder, archive: Path) -> None:
    for name in ("../a", "prod/../../a", "/etc/passwd", "", "prod//a", "prod/."):
        with pytest.raises(BackupsError, match="is not a name in the folder"):
            folder.put(name, archive)


class FullDisk:
    """The system's functions, but the disk takes only so many bytes more."""

    def __init__(self, room: int) -> None:
        self.room = room

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def write(self, file: int, data: memoryview) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = data[: min(self.room, 100_000)]
        self.room -= len(taken)
        return os.write(file, taken)


def test_a_full_disk_is_one_sentence_and_leaves_no_file(
    folder: Folder, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_text("prod/a.zip", "what was there before")
    monkeypatch.setattr("storage.backups.files.os", FullDisk(archive.stat().st_size - 1))
    with raises_text(
        BackupsError, r"disk with .*prod/a\.zip is full.*\. Fix: free some .* `df -h`.*, then run"
    ) as told:
        folder.put("prod/a.zip", archive)
    assert len(str(told.value).splitlines()) == 1
    assert everything(folder.root) == [folder.root / "prod" / "a.zip"]
    assert folder.read_text("prod/a.zip") == "what was there before"


def test_a_disk_that_accepts_few_bytes_at_a_time_works(
    folder: Folder, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.backups.files.os", FullDisk(archive.stat().st_size))
    folder.put("prod/a.zip", archive)
    assert (folder.root / "prod" / "a.zip").read_bytes() == archive.read_bytes()


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    place = tmp_path / "tiny"
    place.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], check=True, capture_output=True, timeout=10
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only an administrator may mount a disk")
    yield place
    subprocess.run(["umount", place], check=True, timeout=10)


def test_a_really_full_disk_is_reported(tiny: Path, key: str, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(3 << 20))
    catalog = BackupCatalog(Folder(tiny / "kept"), PROD, key, tmp_path / "scratch")
    catalog.check_writable()
    with pytest.raises(BackupsError, match=r"disk with .*\.zip\.age is full"):
        catalog.add(large, ABOUT, CONTENTS)
    assert everything(tiny) == []
    (tiny / "other").write_bytes(bytes(3 << 19))
    with pytest.raises(BackupsError, match="is full"):
        catalog.check_writable()
    assert everything(tiny) == [tiny / "other"]


def test_a_full_scratch_disk_is_reported_before_any_change(tiny: Path, folder: Folder, key: str) -> None:
    (tiny / "other").write_bytes(bytes(3 << 19))
    with pytest.raises(BackupsError, match="is full"):
        BackupCatalog(folder, PROD, key, tiny / "scratch").check_writable()
    assert everything(folder.root) == []
    assert everything(tiny) == [tiny / "other"]


def test_a_disk_too_full_to_open_a_database_is_not_reported_as_damage(tiny: Path, write_archive: Write) -> None:
    """The database just fits, but the files that SQLite writes beside it do not."""
    path = write_archive()
    with zipfile.ZipFile(path) as zipped:
        (tiny / "live.db").write_bytes(zipped.read("data.db"))
    with contextlib.closing(sqlite3.connect(tiny / "live.db")) as live:
        live.execute("PRAGMA journal_mode=WAL")
    size = (tiny / "live.db").stat().st_size
    path = write_archive({"data.db": (tiny / "live.db").read_bytes()}, database=False)
    (tiny / "live.db").unlink()
    (tiny / "other").write_bytes(bytes((2 << 20) - size))
    with pytest.raises(BackupsError, match="is full"):
        inspect(path, tiny / "scratch")
    assert everything(tiny) == [tiny / "other"]


def test_a_folder_path_that_is_a_file_is_reported(folder: Folder, archive: Path) -> None:
    folder.root.write_text("in the way")
    with raises_text(BackupsError, r"cannot be used \(not a directory\)\. Fix: run `ls -ld .*` to see who"):
        folder.put("prod/a.zip", archive)
    assert folder.names("prod/") == []
    assert folder.read_text("prod/a.json") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="an administrator may write everywhere")
def test_a_folder_that_cannot_be_written_is_reported(folder: Folder, archive: Path) -> None:
    folder.root.mkdir(mode=0o500)
    with pytest.raises(BackupsError, match=r"cannot be used \(permission denied\)"):
        folder.put("prod/a.zip", archive)


def test_partial_files_are_not_objects_and_are_deleted_after_a_day(folder: Folder, archive: Path) -> None:
    folder.put("prod/a.zip", archive)
    old, new = folder.root / "prod" / ".b.zip.0000.part", folder.root / "prod" / ".c.zip.0000.part"
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    assert folder.names("") == ["prod/a.zip"]
    folder.put("prod/b.zip", archive)
    assert not old.exists()
    assert new.exists()


def test_an_interrupted_download_leaves_no_file(folder: Folder, archive: Path, tmp_path: Path) -> None:
    class Interrupted(Folder):
        def open(self, name: str) -> object:  # type: ignore[override]
            raise KeyboardInterrupt

    folder.put("prod/a.zip", archive)
    with pytest.raises(KeyboardInterrupt):
        Interrupted(folder.root).get("prod/a.zip", tmp_path / "back")
    assert not list(tmp_path.glob("*back*"))
