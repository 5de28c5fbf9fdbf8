"""Behaviour that both kinds of store have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.backups import BackupsError, Bucket, Folder, Store, open_store
from storage.backups.errors import Missing
from tests.storage.backups.conftest import NUMBERS
from tests.support.errors import raises_text


def test_an_object_can_be_read_back(store: Store, tmp_path: Path, archive: Path) -> None:
    store.put("prod/a.zip", archive)
    store.get("prod/a.zip", tmp_path / "new" / "back")
    with store.open("prod/a.zip") as opened:
        assert opened.read() == archive.read_bytes() == (tmp_path / "new" / "back").read_bytes()
    assert store.size("prod/a.zip") == archive.stat().st_size


def test_an_object_is_replaced(store: Store) -> None:
    store.write_text("prod/a.json", "a much longer first text")
    store.write_text("prod/a.json", "second")
    assert store.read_text("prod/a.json") == "second"


def test_an_empty_object_is_stored(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    store.put("prod/empty", tmp_path / "empty")
    store.get("prod/empty", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b""
    assert store.size("prod/empty") == 0


def test_names_are_listed_by_prefix(store: Store) -> None:
    for name in ("prod/b.json", "prod/a.json", "prod/audit-log/1.json", "production/a.json"):
        store.write_text(name, "{}")
    assert store.names("prod/") == ["prod/a.json", "prod/audit-log/1.json", "prod/b.json"]
    assert store.names("prod/audit-log/") == ["prod/audit-log/1.json"]
    assert store.names("prod") == ["prod/a.json", "prod/audit-log/1.json", "prod/b.json", "production/a.json"]
    assert store.names("staging/") == []
    assert store.sizes("prod/audit-log/") == {"prod/audit-log/1.json": 2}


def test_an_object_can_be_deleted_twice(store: Store) -> None:
    store.write_text("prod/a.json", "{}")
    store.delete("prod/a.json")
    store.delete("prod/a.json")
    assert store.names("") == []


def test_a_missing_object_is_reported(store: Store, tmp_path: Path) -> None:
    assert store.read_text("prod/no.json") is None
    assert store.size("prod/no.json") is None
    with raises_text(Missing, r"no\.zip does not exist\. Fix: run `oracle backups prod` to see the backups\.$"):
        store.get("prod/no.zip", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_text_of_any_language_is_stored(store: Store) -> None:
    store.write_text("prod/a.json", "สวัสดี ✓")
    assert store.read_text("prod/a.json") == "สวัสดี ✓"


def test_a_missing_source_file_is_reported(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BackupsError, match=r"archive.zip"):
        store.put("prod/a.zip", tmp_path / "archive.zip")
    assert store.names("") == []


def test_a_location_is_a_folder_or_a_bucket(tmp_path: Path) -> None:
    relative = open_store("folder:kept/here", tmp_path)
    assert isinstance(relative, Folder)
    assert relative.root == tmp_path / "kept" / "here"
    absolute = open_store(f"folder:{tmp_path}/kept", Path("/elsewhere"))
    assert absolute.describe() == f"the folder {tmp_path}/kept"
    bucket = open_store("s3://my-bucket/some/prefix/", tmp_path, endpoint="https://s3.example", region="fra1")
    assert isinstance(bucket, Bucket)
    assert (bucket.place.bucket, bucket.place.prefix, bucket.place.region) == ("my-bucket", "some/prefix", "fra1")
    assert bucket.describe() == "the bucket s3://my-bucket/some/prefix at https://s3.example"
    assert open_store("s3://my-bucket", tmp_path).describe() == "the bucket s3://my-bucket"


@pytest.mark.parametrize("location", ["", "folder:", "kept", "s3://", "s3://UPPER/x", "gs://bucket/x", "s3:/bucket"])
def test_any_other_location_is_refused(location: str, tmp_path: Path) -> None:
    with raises_text(
        BackupsError, r"folder:<path> or s3://.*\. Fix: run `pulumi config set --path oracle-net:backup\.store "
    ):
        open_store(location, tmp_path)


def test_opening_a_store_reads_and_writes_nothing(tmp_path: Path) -> None:
    open_store("folder:kept", tmp_path)
    open_store(f"s3://bucket-{next(NUMBERS)}", tmp_path, endpoint="http://127.0.0.1:9")
    assert list(tmp_path.iterdir()) == []
