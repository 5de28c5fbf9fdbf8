"""The release archive in a store: bytes are read back after writing, checked when fetched, and deleted when unused.

needs them. Against a folder and a real S3 server.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from pathlib import Path

import pytest

from artifacts.contents import assets_digest, image_digest, pack_assets, pack_image
from stack_outputs import Release
from storage.backups import Bucket, Folder, Store
from storage.backups.errors import Missing
from storage.releases import Item, Kind, ReleaseError, cache, items, place, stash, sweep
from storage.releases.store import DeployedRelease, ReleaseStore
from tests.support.errors import raises_text
from tests.support.owners import owner

NUMBERS = itertools.count()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "folder":
        return Folder(tmp_path / "kept")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-somebody")
    bucket = Bucket(f"releases-{next(NUMBERS)}", "deep", endpoint=request.getfixturevalue("s3"))
    bucket._client().create_bucket(Bucket=bucket.place.bucket)
    return bucket


@pytest.fixture
def keep(store: Store) -> ReleaseStore:
    return ReleaseStore(store, owner())


def made(folder: Path, kind: Kind, text: str) -> tuple[Item, Path]:
    """Bytes of each kind, and the file that has them."""
    source = folder / f"source-{next(NUMBERS)}"
    source.mkdir()
    (source / "index.html").write_text(text)
    (source / "_headers").write_text("/*\n  X-Frame-Options: DENY\n")
    path = folder / f"packed-{next(NUMBERS)}"
    if kind == "assets":
        path.write_bytes(pack_assets(source))
        digest = assets_digest(source)
    elif kind == "image":
        path.write_bytes(pack_image(source, ["./run"]))
        digest = image_digest(path.read_bytes()).removeprefix("sha256:")
    else:
        path.write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
    return Item(kind=kind, digest=digest, services=("web",)), path


def release(number: int) -> Release:
    digest = f"{number:064x}"
    return Release(
        backend=f"sha256:{digest}",
        workers={"api": digest, "web": "f" * 64, "universe": "f" * 64},
        assets={"web": digest, "universe": "e" * 64},
        commits={},
    )


def ran(number: int) -> DeployedRelease:
    at = f"2026-01-01T00:{number:02}:00Z"
    return DeployedRelease(
        at=at, who="ada", release=dict(release(number)), packed=True, app="jellyfish-app", app_id="app-1"
    )


@pytest.mark.parametrize("kind", ["module", "assets", "image"])
def test_archived_bytes_are_fetched_unchanged(keep: ReleaseStore, tmp_path: Path, kind: Kind) -> None:
    item, path = made(tmp_path, kind, "one\r\ntwo")
    assert keep.lacks([item]) == [item]
    keep.put(item, path)
    assert keep.lacks([item]) == []
    keep.get(item, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", ["module", "assets", "image"])
def test_other_bytes_are_neither_stored_nor_fetched(keep: ReleaseStore, tmp_path: Path, kind: Kind) -> None:
    item, path = made(tmp_path, kind, "one")
    other, wrong = made(tmp_path, kind, "another")
    with raises_text(ReleaseError, r"are damaged: .*\. Fix: run `oracle rollback prod --list` to see the releases"):
        keep.put(item, wrong)
    assert keep.lacks([item]) == [item]
    keep.put(item, path)
    keep.store.put(f"{owner()}/releases/{item.name}", wrong)  # somebody's mistake, or the store's
    with pytest.raises(ReleaseError, match=rf"are damaged: their digest is {other.digest[:12]}\.$"):
        keep.get(item, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    assert not list(tmp_path.glob(".back*"))


def test_truncated_bytes_are_not_fetched(keep: ReleaseStore, tmp_path: Path) -> None:
    item, path = made(tmp_path, "assets", "one")
    keep.put(item, path)
    short = tmp_path / "short"
    short.write_bytes(path.read_bytes()[:700])
    keep.store.put(f"{owner()}/releases/{item.name}", short)
    with pytest.raises(ReleaseError, match="cannot be read"):
        keep.get(item, tmp_path / "back")


def test_an_item_that_was_not_stored_is_missing(keep: ReleaseStore, tmp_path: Path) -> None:
    item, _ = made(tmp_path, "module", "one")
    with pytest.raises(Missing):
        keep.get(item, tmp_path / "back")


def test_a_store_that_returns_other_bytes_stores_nothing(
    keep: ReleaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, path = made(tmp_path, "module", "one")
    monkeypatch.setattr(keep.store, "get", lambda _, target: target.write_text("another"))
    with pytest.raises(ReleaseError, match="is not what was written to it"):
        keep.put(item, path)
    assert keep.lacks([item]) == [item]


def test_receipts_are_listed_newest_first_and_without_duplicates(keep: ReleaseStore) -> None:
    for number in (1, 2, 2, 1):
        keep.note(ran(number))
    keep.store.write_text(f"{owner()}/releases/receipts/20270101T000000000000Z-dead.json", "{")
    # The last one is as old as the first: the order is that of the times.
    assert [each.receipt["backend"][-1] for each in keep.ran()] == ["2", "1", "1"]
    assert {each.id for each in keep.ran()} == {"20260101-000100", "20260101-000200"}


def test_bytes_that_no_remaining_receipt_names_are_deleted(keep: ReleaseStore, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"")
    for number in (1, 2, 3):
        for item in items(release(number), packed=True):
            keep.store.put(f"{owner()}/releases/{item.name}", tmp_path / "bytes")
        keep.note(ran(number))
    neighbour = ReleaseStore(keep.store, owner("local-2"))
    for item in items(release(1), packed=True):
        neighbour.store.put(f"{owner('local-2')}/releases/{item.name}", tmp_path / "bytes")
    keep.store.write_text(f"{owner()}/local-g1.json", "a backup's")
    assert keep.prune(3, set()) == []
    gone = keep.prune(2, {f"sha256:{1:064x}"})
    assert len(gone) == 2  # the api's module and web's files; the image is needed by a backup
    assert keep.lacks(items(release(2), packed=True) + items(release(3), packed=True)) == []
    assert {item.kind for item in keep.lacks(items(release(1), packed=True))} == {"module", "assets"}
    assert neighbour.lacks(items(release(1), packed=True)) == []
    assert keep.store.read_text(f"{owner()}/local-g1.json") == "a backup's"
    assert [each.receipt["backend"][-1] for each in keep.ran()] == ["3", "2"]


def test_a_packed_site_with_a_path_outside_is_refused(tmp_path: Path) -> None:
    import io
    import tarfile

    from artifacts.contents import ArtifactError, unpack_assets

    for name in ("../outside", "/outside", "a/../../outside"):
        path = tmp_path / "evil"
        with tarfile.open(path, "w") as tar:
            entry = tarfile.TarInfo(name)
            entry.size = 1
            tar.addfile(entry, io.BytesIO(b"x"))
        with pytest.raises(ArtifactError, match="is not a file of a site"):
            unpack_assets(path, tmp_path / "site")
        assert not (tmp_path / "outside").exists()


def test_the_cache_is_private_and_forgets_unused_bytes(tmp_path: Path) -> None:
    item, path = made(tmp_path, "module", "one")
    other, _ = made(tmp_path, "module", "another")
    for each in (item, other):
        stash(tmp_path, each, path.read_bytes())
    assert place(tmp_path, item).read_text() == "one"
    assert place(tmp_path, item).stat().st_mode & 0o077 == 0
    assert (tmp_path / ".oracle").stat().st_mode & 0o077 == 0
    os.utime(place(tmp_path, item), (0, 0))
    os.utime(place(tmp_path, other), (0, 0))
    stash(tmp_path, other, b"used again")
    sweep(tmp_path)
    assert not place(tmp_path, item).exists()
    assert place(tmp_path, other).read_text() == "one"
    assert cache.UNUSED_SECONDS > 24 * 3600


def test_a_release_is_complete_while_all_its_bytes_exist(keep: ReleaseStore, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"")
    wanted = items(release(1), packed=True)
    for item in wanted:
        keep.store.put(f"{owner()}/releases/{item.name}", tmp_path / "bytes")
    keep.note(ran(1))
    assert [len(part) for part in keep.survey()] == [1, 0, 0]
    keep.store.delete(f"{owner()}/releases/{wanted[0].name}")
    assert [len(part) for part in keep.survey()] == [0, 1, 0]


def test_a_receipt_of_another_stack_is_ignored_and_not_deleted(keep: ReleaseStore) -> None:
    other = ReleaseStore(keep.store, owner("local-2"))
    other.note(ran(5))
    (copied,) = keep.store.names(f"{owner('local-2')}/")
    name = f"{owner()}/releases/receipts/{copied.rpartition('/')[2]}"
    keep.store.write_text(name, keep.store.read_text(copied) or "")
    for number in (1, 2):
        keep.note(ran(number))
    whole, lost, complaints = keep.survey()
    assert (whole, [each.receipt["backend"][-1] for each in lost], len(complaints)) == ([], ["2", "1"], 1)
    assert complaints[0].problem == (
        f"{name} belongs to {owner('local-2')}, but is stored under {owner()}, so it is ignored."
    )
    assert [each.owner for each in keep.ran()] == [str(owner())] * 2
    keep.prune(1, set())
    assert [each.receipt["backend"][-1] for each in keep.ran()] == ["2"]
    assert keep.store.read_text(name)
