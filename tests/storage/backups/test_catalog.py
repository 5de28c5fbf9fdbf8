"""A backup with a manifest was read back whole; one that cannot be opened is reported."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pyrage  # type: ignore[import-untyped]
import pytest

from storage.backups import AuditLog, Backup, BackupCatalog, BackupsError, Entry, Folder, Store, new_key
from tests.storage.backups.conftest import ABOUT, CONTENTS, PROD, STAGING
from tests.support.errors import raises_text


def stored(catalog: BackupCatalog) -> list[str]:
    return catalog.store.names("")


def test_a_backup_can_be_fetched_again(store: Store, key: str, scratch: Path, archive: Path, tmp_path: Path) -> None:
    catalog = BackupCatalog(store, PROD, key, scratch)
    backup = catalog.add(archive, ABOUT, CONTENTS)
    assert re.fullmatch(r"prod-g3-\d{8}T\d{6}Z-[0-9a-f]{4}", backup.id)
    assert stored(catalog) == [f"{PROD}/{backup.id}.json", f"{PROD}/{backup.id}.zip.age"]
    assert catalog.fetch(backup.id, tmp_path / "back") == backup == catalog.find(backup.id) == catalog.check(backup.id)
    assert (tmp_path / "back").read_bytes() == archive.read_bytes()
    assert (tmp_path / "back").stat().st_mode & 0o777 == 0o600
    assert not list(scratch.iterdir())


def test_the_manifest_describes_the_backup(catalog: BackupCatalog, archive: Path) -> None:
    backup = catalog.add(archive, ABOUT, CONTENTS)
    said = json.loads(catalog.store.read_text(f"{PROD}/{backup.id}.json") or "")
    assert said["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert said["size"] == archive.stat().st_size
    assert said["verified"] is True
    assert said["encrypted"] is True
    assert (said["records"], said["users"], said["files"], said["file_bytes"]) == ({"humans": 2}, 2, 1, 5)
    assert [said[key] for key in ("owner", "app", "app_id", "generation", "reason")] == [
        "organization/oracle-net/prod", "jellyfish-app", "app-1", 3, "wipe",
    ]  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said["created"])


def test_a_backup_is_encrypted_with_age(catalog: BackupCatalog, folder: Folder, key: str, archive: Path) -> None:
    backup = catalog.add(archive, ABOUT, CONTENTS)
    sealed = (folder.root / str(PROD) / f"{backup.id}.zip.age").read_bytes()
    assert sealed.startswith(b"age-encryption.org/v1\n")
    assert b"plain words" not in sealed
    assert pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(key)]) == archive.read_bytes()
    assert key not in (folder.root / str(PROD) / f"{backup.id}.json").read_text()


def test_a_backup_without_a_key_is_stored_in_plain_text(
    folder: Folder, scratch: Path, archive: Path, tmp_path: Path
) -> None:
    catalog = BackupCatalog(folder, PROD, None, scratch)
    backup = catalog.add(archive, ABOUT, CONTENTS)
    assert not backup.encrypted
    assert folder.names(f"{PROD}/")[1] == f"{PROD}/{backup.id}.zip"
    assert catalog.check(catalog.fetch(backup.id, tmp_path / "back").id) == backup
    assert (tmp_path / "back").read_bytes() == archive.read_bytes()


def test_an_invalid_key_is_refused_at_once(folder: Folder, scratch: Path) -> None:
    with raises_text(BackupsError, r"not an age identity.*\. Fix: run `oracle backups prod --new-key`") as refused:
        BackupCatalog(folder, PROD, "hunter2-not-a-key", scratch)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-1], id="last byte gone"),
        pytest.param(lambda data: data[: len(data) // 2], id="half gone"),
        pytest.param(lambda data: data[:50], id="header gone"),
        pytest.param(lambda data: b"", id="emptied"),
        pytest.param(lambda data: data[:70_000] + bytes([data[70_000] ^ 1]) + data[70_001:], id="a bit flipped"),
        pytest.param(lambda data: data + b"x", id="a byte more"),
    ],
)
@pytest.mark.parametrize("encrypted", [True, False])
def test_a_damaged_archive_is_reported(
    damage: Callable[[bytes], bytes],
    encrypted: bool,
    folder: Folder,
    key: str,
    scratch: Path,
    archive: Path,
    tmp_path: Path,
) -> None:
    catalog = BackupCatalog(folder, PROD, key if encrypted else None, scratch)
    backup = catalog.add(archive, ABOUT, CONTENTS)
    path = folder.root / next(name for name in stored(catalog) if ".zip" in name)
    path.write_bytes(damage(path.read_bytes()))
    with raises_text(BackupsError, rf"{backup.id} is damaged .*\. Fix: run `oracle backups prod`"):
        catalog.fetch(backup.id, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_wrong_or_missing_key_is_reported(
    catalog: BackupCatalog, scratch: Path, archive: Path, tmp_path: Path
) -> None:
    backup = catalog.add(archive, ABOUT, CONTENTS)
    fix = r"Fix: run `pulumi config set --secret oracle-net:backupKey --stack prod`\.$"
    with raises_text(BackupsError, rf"encrypted with another key\. {fix}"):
        BackupCatalog(catalog.store, PROD, new_key(), scratch).fetch(backup.id, tmp_path / "back")
    with raises_text(BackupsError, rf"is encrypted, and there is no key\. {fix}"):
        BackupCatalog(catalog.store, PROD, None, scratch).fetch(backup.id, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_missing_or_truncated_archive_is_reported_without_a_download(
    catalog: BackupCatalog, folder: Folder, archive: Path
) -> None:
    backup = catalog.add(archive, ABOUT, CONTENTS)
    path = folder.root / str(PROD) / f"{backup.id}.zip.age"
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(BackupsError, match=r"damaged .it has 100000 bytes"):
        catalog.check(backup.id)
    path.unlink()
    with pytest.raises(BackupsError, match="is missing"):
        catalog.check(backup.id)
    with pytest.raises(BackupsError, match="is missing"):
        catalog.fetch(backup.id, folder.root / "back")


def test_the_error_for_an_unknown_id_names_similar_ids(catalog: BackupCatalog, archive: Path, tmp_path: Path) -> None:
    backup = catalog.add(archive, ABOUT, CONTENTS)
    wrong = backup.id[:-1] + ("0" if backup.id[-1] != "0" else "1")
    for ask in (catalog.find, catalog.check, catalog.delete, lambda id: catalog.fetch(id, tmp_path / "back")):
        text = rf"no backup '{wrong}' of prod \(similar: {backup.id}\)\. Fix: run `oracle backups prod`"
        with raises_text(BackupsError, text):
            ask(wrong)
    with pytest.raises(BackupsError, match=r"no backup '\.\./\.\./etc/passwd'"):
        catalog.find("../../etc/passwd")


def test_another_stack_has_its_own_catalog(catalog: BackupCatalog, scratch: Path, archive: Path) -> None:
    backup = catalog.add(archive, ABOUT, CONTENTS)
    other = BackupCatalog(catalog.store, STAGING, None, scratch)
    assert other.list() == []
    with pytest.raises(BackupsError, match="There is no backup"):
        other.find(backup.id)


def test_a_damaged_manifest_hides_no_other_backup(catalog: BackupCatalog, folder: Folder, archive: Path) -> None:
    good, bad, swapped = (catalog.add(archive, ABOUT, CONTENTS) for _ in range(3))
    (folder.root / str(PROD) / f"{bad.id}.json").write_text('{"id": "prod-g3-')
    (folder.root / str(PROD) / f"{swapped.id}.json").write_text(good.to_json())
    found, complaints = catalog.survey()
    assert found == [good] == catalog.list()
    assert len(complaints) == 2
    assert any(f"{PROD}/{bad.id}.json is damaged" in str(each) for each in complaints)
    catalog.delete(bad.id)
    assert not [name for name in stored(catalog) if bad.id in name]


class Interrupting(Folder):
    """A store in which something happens at a step of keep: the user interrupts, or the stored bytes are others."""

    step = ""
    error: BaseException = KeyboardInterrupt()

    def put(self, name: str, source: Path) -> None:
        super().put(name, source)
        if self.step == "put":
            raise self.error

    def open(self, name: str) -> BinaryIO:
        if self.step == "open" and ".zip" in name:
            raise self.error
        if self.step == "damage" and ".zip" in name:
            path = self.root / name
            path.write_bytes(path.read_bytes()[:-1] + b"?")
        return super().open(name)

    def write_text(self, name: str, text: str) -> None:
        if self.step == "half a manifest":
            super().write_text(name, text[:40])
        else:
            super().write_text(name, text)
        if self.step == "manifest":
            raise self.error


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize(
    "step, error",
    [
        ("put", KeyboardInterrupt()),
        ("open", KeyboardInterrupt()),
        ("open", BackupsError("away")),
        ("damage", None),
        ("manifest", KeyboardInterrupt()),
        ("half a manifest", None),
    ],
)
def test_a_failed_backup_leaves_no_file(
    step: str, error: BaseException | None, encrypted: bool, tmp_path: Path, key: str, scratch: Path, archive: Path
) -> None:
    store = Interrupting(tmp_path / "kept")
    store.step, store.error = step, error or store.error
    with pytest.raises(type(error) if error else BackupsError, match=None if error else "damaged"):
        BackupCatalog(store, PROD, key if encrypted else None, scratch).add(archive, ABOUT, CONTENTS)
    assert store.names("") == []
    assert not list(scratch.glob("*"))


def test_the_manifest_is_written_last_and_deleted_first(tmp_path: Path, scratch: Path, archive: Path) -> None:
    seen: list[str] = []

    class Watched(Folder):
        def put(self, name: str, source: Path) -> None:
            seen.append("put archive")
            super().put(name, source)

        def open(self, name: str) -> BinaryIO:
            seen.append("read archive" if ".zip" in name else "read manifest")
            return super().open(name)

        def write_text(self, name: str, text: str) -> None:
            seen.append("write manifest")
            super().write_text(name, text)

        def delete(self, name: str) -> None:
            seen.append("delete manifest" if name.endswith(".json") else "delete archive")
            super().delete(name)

    catalog = BackupCatalog(Watched(tmp_path / "kept"), PROD, None, scratch)
    catalog.delete(catalog.add(archive, ABOUT, CONTENTS).id)
    assert seen[:4] == ["put archive", "read archive", "write manifest", "read manifest"]
    assert [step for step in seen if step.startswith("delete")][:2] == ["delete manifest", "delete archive"]


def backdated(catalog: BackupCatalog, *days: float, records: Sequence[int] = (), app_id: str = "app-1") -> list[Backup]:
    """Backups that say they were made so many days ago and hold so many records, else two."""
    made = []
    for number, age in enumerate(days):
        at = datetime.now(UTC) - timedelta(days=age)
        id = f"{catalog.owner.stack}-g1-{at:%Y%m%dT%H%M%SZ}-{number:04x}"
        example = Backup(
            **{**vars(ABOUT), "app_id": app_id},
            **{**vars(CONTENTS), "records": {"humans": records[number] if records else 2, "_superusers": 1}},
            owner=str(catalog.owner),
            id=id,
            created=f"{at:%Y-%m-%dT%H:%M:%S}.000Z",
            size=1,
            sha256="",
            encrypted=False,
        )
        catalog.store.write_text(f"{catalog.owner}/{id}.json", example.to_json())
        catalog.store.write_text(f"{catalog.owner}/{id}.zip", "x")
        made.append(example)
    return made


@pytest.mark.parametrize(
    "count, days, kept",
    [
        pytest.param(2, None, [0, 1], id="the newest two"),
        pytest.param(None, 10, [0, 1, 2], id="the last ten days"),
        pytest.param(1, 10, [0, 1, 2], id="both rules keep"),
        pytest.param(4, 10, [0, 1, 2, 3], id="the newest four, older ones too"),
        pytest.param(0, None, [0], id="never the newest"),
        pytest.param(None, 0, [0], id="nor when it is old"),
        pytest.param(None, None, [0, 1, 2, 3, 4], id="no rule"),
    ],
)
def test_retention_deletes_by_count_and_age(
    count: int | None, days: int | None, kept: list[int], catalog: BackupCatalog
) -> None:
    made = backdated(catalog, 1, 5, 9, 20, 40)
    removed = catalog.prune(count, days, set())
    assert [made.index(backup) for backup in catalog.list()] == kept
    assert sorted(made.index(backup) for backup in removed) == sorted(set(range(5)) - set(kept))
    assert len(stored(catalog)) == 2 * len(kept)


def test_a_protected_backup_is_not_deleted(catalog: BackupCatalog) -> None:
    made = backdated(catalog, 1, 5, 9)
    assert catalog.prune(1, None, {made[2].id}) == [made[1]]
    assert catalog.list() == [made[0], made[2]]


def test_files_of_a_killed_backup_are_deleted_after_a_day(catalog: BackupCatalog) -> None:
    kept = backdated(catalog, 3)[0]
    old, new = (
        f"{PROD}/prod-g1-{at}Z-abcd.zip{end}" for at, end in (("20200101T000000", ".age"), ("29990101T000000", ""))
    )
    for name in (old, new, f"{PROD}/somebody-elses.zip"):
        catalog.store.write_text(name, "half")
    catalog.prune(None, None, set())
    assert stored(catalog) == [
        f"{PROD}/{kept.id}.json",
        f"{PROD}/{kept.id}.zip",
        new,
        f"{PROD}/somebody-elses.zip",
    ]


def test_temporary_plain_data_of_a_killed_backup_is_deleted_after_a_day(catalog: BackupCatalog, scratch: Path) -> None:
    with catalog.room() as killed, catalog.room() as running:
        (killed / "backup.zip").write_text("plain")
        os.utime(killed, (time.time() - 90_000,) * 2)
        with catalog.room() as room:
            assert sorted(scratch.iterdir()) == sorted([running, room])
            assert room.stat().st_mode & 0o777 == 0o700


def test_a_concurrent_prune_causes_no_error(catalog: BackupCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    made = backdated(catalog, 1, 5, 9)
    seen = catalog._manifests(catalog._sizes())
    monkeypatch.setattr(catalog, "_manifests", lambda _: seen)
    BackupCatalog(catalog.store, PROD, None, catalog.scratch).prune(2, None, set())
    assert catalog.prune(1, None, set()) == made[1:]
    assert len(stored(catalog)) == 2


def test_the_write_check_leaves_no_file(store: Store, scratch: Path) -> None:
    BackupCatalog(store, PROD, None, scratch).check_writable()
    assert store.names("") == []
    assert not list(scratch.iterdir())


def test_a_store_that_returns_other_bytes_is_reported(tmp_path: Path, scratch: Path) -> None:
    class Forgetful(Folder):
        def get(self, name: str, target: Path) -> None:
            target.write_bytes(b"other")

    with pytest.raises(BackupsError, match="is not what was written to it"):
        BackupCatalog(Forgetful(tmp_path / "kept"), PROD, None, scratch).check_writable()


def test_a_manifest_with_unknown_keys_is_read(catalog: BackupCatalog, folder: Folder, archive: Path) -> None:
    backup = catalog.add(archive, ABOUT, CONTENTS)
    path = folder.root / str(PROD) / f"{backup.id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "of a later release": [1]}))
    assert catalog.find(backup.id) == backup


@pytest.mark.parametrize(
    "change",
    [{"size": "12"}, {"size": None}, {"records": {"humans": "two"}}, {"verified": False}, {"reason": "whim"}],
)
def test_a_manifest_with_wrong_types_is_damaged(
    change: dict[str, object], catalog: BackupCatalog, archive: Path
) -> None:
    backup = catalog.add(archive, ABOUT, CONTENTS)
    manifest = json.dumps({**json.loads(backup.to_json()), **change})
    text = rf"prod/x\.json is damaged \({next(iter(change))}.*\. Fix: run `oracle backups prod`"
    with raises_text(BackupsError, text):
        Backup.from_json(manifest, "prod/x.json")
    assert Backup.from_json(replace(backup, last_write=None).to_json(), "prod/x.json").last_write is None


def test_stacks_with_similar_names_do_not_see_each_others_backups(folder: Folder, scratch: Path) -> None:
    owners = [
        replace(PROD, stack="prod-2"),
        replace(PROD, stack="pr"),
        replace(PROD, organization="acme"),
        replace(PROD, project="oracle"),
    ]
    others = [BackupCatalog(folder, owner, None, scratch) for owner in owners]
    theirs = [backdated(other, 1, 2, 3) for other in others]
    catalog = BackupCatalog(folder, PROD, None, scratch)
    mine = backdated(catalog, 4, 5)
    assert catalog.survey() == (mine, [])
    assert catalog.prune(1, None, set()) == mine[1:]
    assert [other.list() for other in others] == theirs


def test_a_backup_copied_from_another_stack_is_refused_and_not_deleted(
    catalog: BackupCatalog, folder: Folder, scratch: Path, archive: Path, tmp_path: Path
) -> None:
    """Somebody copied it into the wrong folder: its manifest names its owner."""
    mine = backdated(catalog, 100)
    for owner in (STAGING, replace(PROD, organization="acme")):
        theirs = BackupCatalog(folder, owner, None, scratch).add(archive, ABOUT, CONTENTS)
        for ending in (".json", ".zip"):
            content = (folder.root / str(owner) / f"{theirs.id}{ending}").read_bytes()
            (folder.root / str(PROD) / f"{theirs.id}{ending}").write_bytes(content)
        said = f"The backup {theirs.id} belongs to {owner}, but is stored under {PROD}, so it is ignored."
        for ask in (catalog.find, catalog.check, catalog.delete, lambda id: catalog.fetch(id, tmp_path / "back")):
            with raises_text(BackupsError, re.escape(f"{said} Fix: run `oracle backups prod` to see the backups.")):
                ask(theirs.id)
        found, complaints = catalog.survey()
        assert found == mine
        assert said in map(str, complaints)
        before = stored(catalog)
        assert catalog.prune(0, 0, set()) == []
        assert stored(catalog) == before


def test_missing_and_truncated_archives_are_not_listed_and_are_reported(catalog: BackupCatalog, folder: Folder) -> None:
    """One listing of the store is enough; such backups do not count for retention, and are deleted at their time."""
    good, cut, gone = backdated(catalog, 1, 2, 3)
    (folder.root / str(PROD) / f"{cut.id}.zip").write_bytes(b"")
    (folder.root / str(PROD) / f"{gone.id}.zip").unlink()
    found, complaints = catalog.survey()
    assert found == [good]
    assert f"The archive of the backup {cut.id} is damaged (it has 0 bytes)" in str(complaints[0])
    assert f"The archive of the backup {gone.id} is missing." in map(str, complaints)
    assert catalog.prune(2, None, set()) == []
    assert catalog.prune(1, None, set()) == [cut, gone]


def test_many_empty_backups_do_not_displace_the_last_one_with_records(catalog: BackupCatalog) -> None:
    made = backdated(catalog, *range(10), records=[0] * 9 + [27])
    assert catalog.prune(3, None, set()) == made[3:9]
    assert catalog.prune(1, 0, set()) == made[1:3]
    assert catalog.list() == [made[0], made[9]]


def test_full_and_empty_backups_are_counted_separately(catalog: BackupCatalog) -> None:
    made = backdated(catalog, *range(6), records=[0, 0, 0, 5, 5, 5])
    assert catalog.prune(2, None, set()) == [made[2], made[5]]


def test_the_last_backup_before_a_loss_is_retained(catalog: BackupCatalog) -> None:
    made = backdated(catalog, *range(6), records=[4, 3, 2, 1, 27, 26])
    catalog.prune(2, None, set())
    assert catalog.list() == [made[0], made[1], made[4]]
    catalog.prune(None, 0, set())
    assert catalog.list() == [made[0], made[4]]


def change(**values: Any) -> Entry:
    known = dict.fromkeys(("from_generation", "from_release", "to_generation", "to_release", "migrated", "backup"))
    whole = {"at": "2026-01-31T10:00:00Z", "kind": "wipe", "who": "ada", "records": {}, **known, **values}
    return Entry(**whole)


def test_the_backup_of_the_newest_wipe_is_retained(catalog: BackupCatalog) -> None:
    """Also when the new app has later backups with as many records; backups of older wipes are not retained."""
    made = (
        backdated(catalog, 6, app_id="older"),
        backdated(catalog, 5, app_id="old"),
        backdated(catalog, 2, 1, app_id="new"),
    )
    audit_log = AuditLog(catalog.store, PROD)
    audit_log.add(change(at="2026-01-30T10:00:00Z", from_app_id="older", to_app_id="old"))
    audit_log.add(change(from_app_id="old", to_app_id="new"))
    audit_log.add(change(at="2026-02-01T10:00:00Z", kind="release", from_app_id="new", to_app_id="new-r2"))
    assert catalog.prune(1, 0, set()) == [made[2][0], made[0][0]]
    assert catalog.list() == [made[2][1], made[1][0]]


def test_the_backup_of_a_restart_is_retained(catalog: BackupCatalog) -> None:
    """The app is the same before and after, so its newest backup is not the one that the restart took."""
    made = backdated(catalog, 1, 2, 3, 4)
    AuditLog(catalog.store, PROD).add(change(kind="restart", from_app_id="app-1", to_app_id="app-1", backup=made[2].id))
    assert catalog.prune(1, None, set()) == [made[1], made[3]]
