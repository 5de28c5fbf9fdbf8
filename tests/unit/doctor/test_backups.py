"""The check of the backup store and of the backup key."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.doctor import Finding, backups
from cli.engine.pulumi import Engine, Finished
from cli.engine.workspace import Stack
from errors import Fix
from storage.backups import BackupsError, Folder, new_key
from tests.unit.doctor.fake import stack

LOCAL, REAL = "http://127.0.0.1:1", "https://api.digitalocean.com"


def stored(made: Stack) -> Finding:
    (found,) = backups.store(made, made.settings())
    return found


def keyed(folder: Path, text: str, status: int = 0) -> Finding:
    """The finding when the engine answers so for the key."""
    made = stack(folder, LOCAL, backupKey={"secure": "v1:sealed"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "quiet", lambda *_: Finished(status, text))
        (found,) = backups.key(made, made.settings(), {})
    return found


def test_the_check_of_a_folder_leaves_no_file_behind(tmp_path: Path) -> None:
    made = stack(tmp_path, LOCAL)
    assert stored(made).level == "ok"
    assert not [path for path in (tmp_path / ".oracle" / "backups").rglob("*") if path.is_file()]


def test_a_local_folder_is_a_warning_for_a_real_stack(tmp_path: Path) -> None:
    found = stored(stack(tmp_path, REAL))
    assert found.level == "warn"
    assert found.remedy == "pulumi config set --path oracle-net:backup.store s3://BUCKET/PREFIX --stack local"


def test_a_folder_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = stored(stack(tmp_path, LOCAL, backup={"store": "folder:file/backups"}))
    assert found.level == "fail"
    assert "cannot be used" in found.what


def test_the_stores_error_is_a_finding_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise BackupsError("/x cannot be used.", Fix("ls -ld /x"), cause="permission denied")

    monkeypatch.setattr(backups, "open_store", refused)
    found = stored(stack(tmp_path, LOCAL))
    assert found == Finding("backups", "fail", "/x cannot be used: permission denied", "ls -ld /x")


def test_a_store_that_loses_files_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Folder, "read_text", lambda *_: None)
    found = stored(stack(tmp_path, LOCAL))
    assert (found.level, found.remedy) == ("fail", "oracle backup local")


def test_an_unreachable_bucket_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    bucket = {"store": "s3://backups/prod", "endpoint": "http://127.0.0.1:1"}
    found = stored(stack(tmp_path, REAL, backup=bucket))
    assert found.level == "fail"
    assert found.remedy


def test_a_bucket_without_a_backup_key_is_a_warning(tmp_path: Path) -> None:
    made = stack(tmp_path, LOCAL)
    assert [finding.level for finding in backups.key(made, made.settings(), {})] == ["ok"]
    made = stack(tmp_path, REAL, backup={"store": "s3://backups/prod"})
    (found,) = backups.key(made, made.settings(), {})
    assert (found.level, found.remedy) == ("warn", "oracle backups local --new-key")


def test_an_invalid_backup_key_is_a_failure_and_is_not_shown(tmp_path: Path) -> None:
    assert keyed(tmp_path, new_key()).level == "ok"
    found = keyed(tmp_path, "no-key-at-all")
    assert found.level == "fail"
    assert "no-key-at-all" not in str(found)


def test_a_backup_key_that_the_passphrase_cannot_decrypt_is_a_failure(tmp_path: Path) -> None:
    found = keyed(tmp_path, "error: incorrect passphrase", status=255)
    assert (found.level, found.what) == ("fail", "The passphrase does not open the secrets of Pulumi.local.yaml")
    assert found.remedy
