"""A whole backup of a real PocketBase: created, downloaded, opened, compared, stored, and cleaned up."""

from __future__ import annotations

import errno
import importlib
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clients import pocketbase
from storage.backups import BackupCatalog, BackupsError, Contents, inspect, take
from tests.storage.backups.conftest import ABOUT
from tests.support.backend import ADMIN, Backend, Person
from tests.support.errors import raises_text
from toolchain.tools import locate

# By its name: the package has the function of the same name.
TAKE = importlib.import_module("storage.backups.take")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360f8cf500f0003860180a5b3b4e60000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """Two humans, an album with three photos of two records, one of them with a thumbnail, and a view."""
    env = {"PB_ADMIN_EMAIL": ADMIN[0], "PB_ADMIN_PASSWORD": ADMIN[1]}
    with Backend(tmp_path_factory.mktemp("taken") / "backend", locate().pocketbase, env) as running:
        admin = Person.login(running.url, "_superusers", *ADMIN)
        for name in ("Ada", "Grace"):
            Person.register(running.url, name)
        fill(admin)
        yield running


def fill(admin: Person) -> None:
    fields = [
        {"type": "file", "name": "photos", "maxSelect": 5, "thumbs": ["10x10"]},
        {"type": "autodate", "name": "created", "onCreate": True},
    ]
    album = {"name": "album", "type": "base", "fields": fields, "viewRule": ""}
    view = {"name": "glance", "type": "view", "viewQuery": "SELECT id FROM album"}
    for collection in (album, view):
        admin.ask("POST", "/api/collections", json=collection).raise_for_status()
    made = []
    for names in (("one.png", "thumbs_two.png"), ("three.png",)):
        files = [("photos", (name, PNG, "image/png")) for name in names]
        made.append(admin.ask("POST", "/api/collections/album/records", files=files).raise_for_status().json())
    photo = f"/api/files/album/{made[0]['id']}/{made[0]['photos'][0]}?thumb=10x10"
    admin.ask("GET", photo).raise_for_status()


@pytest.fixture
def session(backend: Backend) -> pocketbase.Login:
    session = pocketbase.login(backend.url, *ADMIN)
    assert session is not None
    return session


@pytest.fixture
def archive(backend: Backend, session: pocketbase.Login, tmp_path: Path) -> Iterator[Path]:
    """A backup that PocketBase has made."""
    pocketbase.create_backup(backend.url, session, "by_hand.zip")
    pocketbase.download_backup(backend.url, session, "by_hand.zip", tmp_path / "by_hand.zip")
    yield tmp_path / "by_hand.zip"
    pocketbase.delete_backup(backend.url, session, "by_hand.zip")


def test_the_archive_of_pocketbase_is_read(
    archive: Path, backend: Backend, session: pocketbase.Login, scratch: Path
) -> None:
    with zipfile.ZipFile(archive) as zipped:
        assert any("/thumbs_" in name for name in zipped.namelist()), "what is to be left out is not there"
    contents = inspect(archive, scratch)
    summary = pocketbase.summarize_data(backend.url, session)
    assert contents == Contents(
        records=summary.records,
        files=3,
        file_bytes=3 * len(PNG),
        users=2,
        last_write=summary.last_write,
        content=contents.content,
    )
    assert contents.content.keys() == {name for name in summary.records if not name.startswith("_")}
    assert (summary.files, summary.users) == (3, 2)
    assert contents.records["album"] == 2
    assert contents.records["_superusers"] == 1
    assert "glance" not in contents.records
    assert not list(scratch.iterdir())


def test_damage_in_a_real_backup_is_found(archive: Path, scratch: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        photo = next(entry for entry in zipped.infolist() if entry.filename.endswith(".png"))
    sound = archive.read_bytes()
    at = photo.header_offset + 30 + len(photo.filename) + photo.compress_size // 2
    archive.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
    with pytest.raises(BackupsError, match=r"by_hand\.zip is damaged"):
        inspect(archive, scratch)


def test_a_backup_is_taken_and_stored(
    backend: Backend, session: pocketbase.Login, catalog: BackupCatalog, tmp_path: Path
) -> None:
    backup = take(backend.url, session, catalog, ABOUT)
    assert catalog.list() == [backup]
    assert (backup.users, backup.files, backup.records["humans"]) == (2, 3, 2)
    assert backup.records == pocketbase.count_records(backend.url, session)
    assert catalog.fetch(backup.id, tmp_path / "back") == backup
    assert json.loads(backup.to_json())["app"] == ABOUT.app
    assert pocketbase.list_backups(backend.url, session) == []


Counting = Callable[[str, pocketbase.Login], dict[str, int]]


def miscounting(times: int, change: int, real: Counting) -> Counting:
    """Counts as the backend does, but the first `times` counts have other humans."""
    left = [times]

    def count(url: str, session: pocketbase.Login) -> dict[str, int]:
        left[0] -= 1
        counts = real(url, session)
        return {**counts, "humans": counts["humans"] + change} if left[0] >= 0 else counts

    return count


def test_a_backup_that_lacks_records_of_the_backend_is_not_stored(
    backend: Backend, session: pocketbase.Login, catalog: BackupCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pocketbase, "count_records", miscounting(100, +1, pocketbase.count_records))
    with raises_text(BackupsError, r"other record counts .* \(humans: 2, not 3\)\. Fix: wait until nothing is written"):
        take(backend.url, session, catalog, ABOUT)
    assert catalog.store.names("") == []
    assert pocketbase.list_backups(backend.url, session) == []


@pytest.mark.parametrize("change", [-1, +1])
def test_a_backend_that_is_written_to_meanwhile_can_be_backed_up(
    change: int, backend: Backend, session: pocketbase.Login, catalog: BackupCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pocketbase, "count_records", miscounting(1, change, pocketbase.count_records))
    assert take(backend.url, session, catalog, ABOUT).records["humans"] == 2


def test_a_count_that_differs_once_is_repeated(
    backend: Backend, session: pocketbase.Login, catalog: BackupCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pocketbase, "count_records", miscounting(2, +1, pocketbase.count_records))
    assert take(backend.url, session, catalog, ABOUT).records["humans"] == 2


def test_a_download_with_other_bytes_is_refused(
    backend: Backend, session: pocketbase.Login, catalog: BackupCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    download = pocketbase.download_backup
    monkeypatch.setattr(pocketbase, "download_backup", lambda *where: download(*where) and "0" * 64)
    with pytest.raises(BackupsError, match="is not what was written to it"):
        take(backend.url, session, catalog, ABOUT)
    assert catalog.store.names("") == []
    assert pocketbase.list_backups(backend.url, session) == []


def test_a_disk_that_fills_up_during_the_download_is_reported(
    backend: Backend, session: pocketbase.Login, catalog: BackupCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(url: str, session: pocketbase.Login, name: str, target: Path) -> str:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pocketbase, "download_backup", full)
    with pytest.raises(BackupsError, match=r"disk with .*backup\.zip is full"):
        take(backend.url, session, catalog, ABOUT)
    assert catalog.store.names("") == []
    assert pocketbase.list_backups(backend.url, session) == []


def test_an_interrupted_backup_leaves_nothing_behind(
    backend: Backend, session: pocketbase.Login, catalog: BackupCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TAKE, "inspect", interrupted)
    with pytest.raises(KeyboardInterrupt):
        take(backend.url, session, catalog, replace(ABOUT, reason="manual"))
    assert catalog.store.names("") == []
    assert pocketbase.list_backups(backend.url, session) == []
