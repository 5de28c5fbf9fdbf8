"""Backups of a real PocketBase: created, downloaded, uploaded and deleted, directly and through faulty gateways."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clients.pocketbase import (
    BackupFailed,
    Login,
    backupapi,
    backups,
    create_backup,
    delete_backup,
    download_backup,
    list_backups,
    upload_backup,
)
from tests.clients.pocketbase.conftest import Blocked, session_of
from tests.clients.pocketbase.gateway import Answer, Gateway, Passing, passed_on
from tests.support.backend import Backend
from tests.support.errors import raises_text
from tests.support.http import ask
from tests.support.waiting import until

NAME = "one.zip"


@pytest.fixture
def session(backend: Backend) -> Login:
    return session_of(backend)


@pytest.fixture
def made(backend: Backend, session: Login) -> bytes:
    """The backup NAME, which the backend has."""
    create_backup(backend.url, session, NAME)
    return stored_file(backend).read_bytes()


def stored_file(backend: Backend, name: str = NAME) -> Path:
    return backend.folder / "pb_data" / "backups" / name


def busy(backend: Backend, session: Login) -> bool:
    return not ask("GET", f"{backend.url}/api/health", token=session.token).json()["data"]["canBackup"]


class TestCreate:
    def test_the_backup_exists_when_the_call_returns(self, backend: Backend, session: Login, made: bytes) -> None:
        (found,) = list_backups(backend.url, session)
        assert (found.name, found.size) == (NAME, len(made))

    @pytest.mark.parametrize("name", ["", "A.zip", "a.tar", "a b.zip", "../a.zip", "a.zip\n", "a" * 147 + ".zip"])
    def test_an_invalid_name_is_refused(self, backend: Backend, session: Login, name: str) -> None:
        theirs = ask("POST", f"{backend.url}/api/backups", token=session.token, json={"name": name})
        assert theirs.status_code == 400 or not name  # an empty name lets PocketBase choose one
        with raises_text(BackupFailed, r"is not a name of a backup\. Fix: use lower-case .*, then run `pulumi up"):
            create_backup(backend.url, session, name)

    def test_the_longest_valid_name_is_accepted(self, backend: Backend, session: Login) -> None:
        name = "a" * 146 + ".zip"
        create_backup(backend.url, session, name)
        assert [each.name for each in list_backups(backend.url, session)] == [name]

    def test_an_existing_name_is_refused(self, backend: Backend, session: Login, made: bytes) -> None:
        with pytest.raises(BackupFailed, match="already exists"):
            create_backup(backend.url, session, NAME)

    def test_only_one_backup_is_created_at_a_time(
        self, backend: Backend, session: Login, threads: ThreadPoolExecutor
    ) -> None:
        blocked = Blocked(backend)
        first = threads.submit(create_backup, backend.url, session, NAME)
        try:
            until(lambda: busy(backend, session), "the first is under way")
            with pytest.raises(BackupFailed, match="another backup/restore process"):
                create_backup(backend.url, session, "two.zip")
        finally:
            blocked.release()
        first.result(30)
        assert [each.name for each in list_backups(backend.url, session)] == [NAME]

    @pytest.mark.parametrize("status", [502, 504, 524])
    def test_a_gateway_timeout_is_waited_out(
        self, backend: Backend, session: Login, threads: ThreadPoolExecutor, status: int
    ) -> None:
        def gives_up(passing: Passing) -> Answer | None:
            if passing.method != "POST":
                return None
            threads.submit(passing.forward)
            until(lambda: busy(backend, session), "the backup is under way")
            return Answer(status, b"gave up")

        blocked = Blocked(backend)
        with Gateway(backend.url, gives_up) as gateway:
            creating = threads.submit(create_backup, gateway.url, session, NAME)
            try:
                until(lambda: gateway.seen.count("GET /api/health") > 2, "it is asked for")
                assert not creating.done()
            finally:
                blocked.release()
            creating.result(30)
        assert list_backups(backend.url, session)[0].name == NAME

    def test_a_request_lost_by_the_gateway_is_an_error(
        self, backend: Backend, session: Login, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(backups, "LOST_SECONDS", 0.2)
        with (
            Gateway(backend.url, lambda passing: Answer(502, b"") if passing.method == "POST" else None) as gateway,
            raises_text(BackupFailed, r"did not create the backup one\.zip: it answered 502\. Fix: run `pulumi up"),
        ):
            create_backup(gateway.url, session, NAME)

    def test_a_killed_backend_is_an_error_and_leaves_no_backup(
        self, backend: Backend, session: Login, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(backupapi, "PATIENCE_SECONDS", 0.5)
        blocked = Blocked(backend)
        creating = threads.submit(create_backup, backend.url, session, NAME)
        until(lambda: busy(backend, session), "the backup is under way")
        os.kill(backend.pid, signal.SIGKILL)
        with pytest.raises(BackupFailed, match="ConnectError"):
            creating.result(60)
        backend.stop()
        blocked.path.unlink()
        backend.start()
        assert list_backups(backend.url, session) == []

    def test_an_invalid_session_is_refused(self, backend: Backend) -> None:
        with pytest.raises(BackupFailed, match="401") as caught:
            create_backup(backend.url, Login(token="not-a-token", id="x"), NAME)
        assert "not-a-token" not in str(caught.value)


class TestDownload:
    def test_the_download_is_byte_for_byte_the_same(
        self, backend: Backend, session: Login, made: bytes, tmp_path: Path
    ) -> None:
        target = tmp_path / "copy.zip"
        digest = download_backup(backend.url, session, NAME, target)
        assert target.read_bytes() == made
        assert digest == hashlib.sha256(made).hexdigest()
        assert stat.S_IMODE(target.stat().st_mode) == 0o600

    def test_an_existing_file_is_replaced(self, backend: Backend, session: Login, made: bytes, tmp_path: Path) -> None:
        target = tmp_path / "copy.zip"
        target.write_bytes(made + b"older")
        target.chmod(0o644)
        download_backup(backend.url, session, NAME, target)
        assert target.read_bytes() == made
        assert stat.S_IMODE(target.stat().st_mode) == 0o600

    def test_a_missing_backup_is_an_error(self, backend: Backend, session: Login, tmp_path: Path) -> None:
        with pytest.raises(BackupFailed, match=r"has no backup two.zip"):
            download_backup(backend.url, session, "two.zip", tmp_path / "copy.zip")

    @pytest.mark.parametrize("ranges", [True, False])
    def test_a_broken_download_continues(
        self, backend: Backend, session: Login, made: bytes, tmp_path: Path, ranges: bool
    ) -> None:
        asked: list[str] = []

        def breaks_off(passing: Passing) -> Answer | None:
            if passing.method != "GET" or not passing.path.startswith(f"/api/backups/{NAME}"):
                return None
            asked.append(passing.headers["range"])
            if not ranges:
                del passing.headers["range"]
            answer = passed_on(passing)
            return Answer(answer.status, answer.body, cut=70_000 if len(asked) < 3 else None)

        target = tmp_path / "copy.zip"
        with Gateway(backend.url, breaks_off) as gateway:
            digest = download_backup(gateway.url, session, NAME, target)
        assert target.read_bytes() == made
        assert digest == hashlib.sha256(made).hexdigest()
        assert asked == ["bytes=0-", "bytes=70000-", "bytes=140000-" if ranges else "bytes=70000-"]

    def test_a_download_shorter_than_listed_is_an_error(
        self, backend: Backend, session: Login, made: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def shortens(passing: Passing) -> Answer | None:
            if not passing.path.startswith(f"/api/backups/{NAME}"):
                return None
            return Answer(206, made[:-1] if passing.headers["range"] == "bytes=0-" else b"")

        monkeypatch.setattr(backups, "STALLED_SECONDS", 0.5)
        with (
            Gateway(backend.url, shortens) as gateway,
            pytest.raises(BackupFailed, match=f"after {len(made) - 1} of {len(made)} bytes"),
        ):
            download_backup(gateway.url, session, NAME, tmp_path / "copy.zip")
        assert not (tmp_path / "copy.zip").exists()

    def test_a_download_longer_than_listed_is_an_error(
        self, backend: Backend, session: Login, made: bytes, tmp_path: Path
    ) -> None:
        def lengthens(passing: Passing) -> Answer | None:
            return Answer(200, made + b"x") if passing.path.startswith(f"/api/backups/{NAME}") else None

        with (
            Gateway(backend.url, lengthens) as gateway,
            pytest.raises(BackupFailed, match=f"after {len(made) + 1} of {len(made)} bytes"),
        ):
            download_backup(gateway.url, session, NAME, tmp_path / "copy.zip")
        assert not (tmp_path / "copy.zip").exists()

    def test_a_target_that_cannot_be_written_is_an_error(
        self, backend: Backend, session: Login, made: bytes, tmp_path: Path
    ) -> None:
        with raises_text(BackupFailed, r"could not be written to .*No such file .*\. Fix: let this user write"):
            download_backup(backend.url, session, NAME, tmp_path / "missing" / "copy.zip")

    def test_no_token_is_logged(
        self, backend: Backend, session: Login, made: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            download_backup(backend.url, session, NAME, tmp_path / "copy.zip")
        assert "/api/files/token" in caplog.text  # the log is on
        assert "token=" not in caplog.text
        assert session.token not in caplog.text


class TestUpload:
    def test_the_upload_is_byte_for_byte_the_same(self, backend: Backend, session: Login, made: bytes) -> None:
        upload_backup(backend.url, session, stored_file(backend), "two.zip")
        assert stored_file(backend, "two.zip").read_bytes() == made

    def test_an_existing_name_is_refused(self, backend: Backend, session: Login, made: bytes) -> None:
        with pytest.raises(BackupFailed, match="already exists"):
            upload_backup(backend.url, session, stored_file(backend), NAME)

    def test_a_file_that_is_not_a_zip_is_refused(self, backend: Backend, session: Login, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"this is no zip file")
        with raises_text(BackupFailed, r"did not store the backup one\.zip: refused \(status 400: .*\. Fix: run"):
            upload_backup(backend.url, session, tmp_path / "x", NAME)
        assert list_backups(backend.url, session) == []

    def test_a_missing_file_is_an_error(self, backend: Backend, session: Login, tmp_path: Path) -> None:
        with pytest.raises(BackupFailed, match=r"could not be read from .*No such file"):
            upload_backup(backend.url, session, tmp_path / "x", NAME)

    def test_an_invalid_name_is_refused(self, backend: Backend, session: Login, made: bytes) -> None:
        with raises_text(BackupFailed, r"is not a name of a backup\. Fix: use lower-case .*, then run `pulumi up"):
            upload_backup(backend.url, session, stored_file(backend), "../two.zip")

    def test_a_gateway_timeout_after_the_upload_is_not_an_error(
        self, backend: Backend, session: Login, made: bytes
    ) -> None:
        def gives_up(passing: Passing) -> Answer | None:
            if passing.method != "POST":
                return None
            passing.forward()
            return Answer(504, b"gave up")

        with Gateway(backend.url, gives_up) as gateway:
            upload_backup(gateway.url, session, stored_file(backend), "two.zip")
        assert stored_file(backend, "two.zip").read_bytes() == made

    def test_an_upload_shortened_by_a_gateway_is_an_error(
        self, backend: Backend, session: Login, made: bytes, tmp_path: Path
    ) -> None:
        (tmp_path / "longer").write_bytes(made + b"x")

        def shortens(passing: Passing) -> Answer | None:
            passing.body = passing.body.replace(made + b"x", made)
            passing.headers.pop("content-length", None)
            return None

        with (
            Gateway(backend.url, shortens) as gateway,
            pytest.raises(BackupFailed, match=r"does not have the backup two\.zip"),
        ):
            upload_backup(gateway.url, session, tmp_path / "longer", "two.zip", seconds=0.3)


class TestDelete:
    def test_a_backup_can_be_deleted_twice(self, backend: Backend, session: Login, made: bytes) -> None:
        for _ in range(2):
            delete_backup(backend.url, session, NAME)
            assert list_backups(backend.url, session) == []
        assert not stored_file(backend).exists()

    def test_a_failed_deletion_is_an_error(self, backend: Backend, session: Login, made: bytes) -> None:
        with (
            Gateway(backend.url, lambda passing: Answer(503, b"") if passing.method == "DELETE" else None) as gateway,
            pytest.raises(BackupFailed, match=r"did not delete the backup one\.zip: it answered 503"),
        ):
            delete_backup(gateway.url, session, NAME)


@pytest.mark.parametrize(
    "url, size, said",
    [
        ("http://127.0.0.1:8090", 5_000_000_000, ""),
        (
            "https://app.example.org",
            500_000_000,
            "uploading 500 MB: App Platform ends it after 100 s",
        ),
        ("https://app.example.org", 1_000_000, ""),
    ],
)
def test_the_upload_size_is_announced_for_a_remote_backend(
    url: str, size: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    backups._check_upload_size(url, size)
    told = capsys.readouterr().err
    assert (said in told) if said else told == ""


def test_an_upload_larger_than_an_apps_disk_is_refused() -> None:
    with raises_text(BackupFailed, r"has 2000 MB, but .* at most 1074 MB, .*\. Fix: store the backend's files in"):
        backups._check_upload_size("https://app.example.org", 2_000_000_000)
