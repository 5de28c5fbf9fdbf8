"""A restore of one backend's backup in another one, and the data after a failure."""

from __future__ import annotations

import os
import shutil
import signal
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clients.pocketbase import (
    BackupFailed,
    Login,
    count_records,
    create_backup,
    download_backup,
    list_backups,
    login,
    restore_backup,
    restores,
    upload_backup,
)
from tests.clients.pocketbase.conftest import ENVIRONMENT, Blocked, Start, session_of
from tests.clients.pocketbase.gateway import Answer, Gateway, Passing, passed_on
from tests.support.backend import ADMIN, Backend, Person
from tests.support.errors import raises_text
from tests.support.http import ask
from tests.support.waiting import until
from toolchain.tools import locate

NAME = "one.zip"
PICTURE = bytes(range(256)) * 400
NO_SIGN = b'{"data":{},"message":"The requested resource wasn\'t found.","status":404}'
Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def filled(started_once: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a filled backend that has stopped, and beside it a backup of it."""
    folder = tmp_path_factory.mktemp("filled") / "a"
    shutil.copytree(started_once("a"), folder)
    with Backend(folder, locate().pocketbase, ENVIRONMENT) as backend:
        fill(backend)
        backed_up(backend, folder.parent)
    shutil.rmtree(folder / "pb_data" / "backups")
    return folder


@pytest.fixture
def origin(start: Start, filled: Path) -> Backend:
    return start("a", filled)


def fill(backend: Backend) -> None:
    """Give it a human Ada, her oracle, changed rules and settings, and files."""
    admin = Person(backend.url, session_of(backend).token)
    rules = {"listRule": "@request.auth.id != ''", "viewRule": ""}
    admin.ask("PATCH", "/api/collections/posts", json=rules).raise_for_status()
    admin.ask("PATCH", "/api/settings", json={"meta": {"appName": "Delphi"}}).raise_for_status()
    ada = Person.register(backend.url, "Ada")
    ada.create("oracles", name="Pythia").raise_for_status()
    fields = [{"name": "files", "type": "file", "maxSelect": 9, "maxSize": 10_000_000}]
    admin.ask(
        "POST", "/api/collections", json={"name": "pictures", "type": "base", "fields": fields}
    ).raise_for_status()
    files = [("files", ("one.bin", PICTURE)), ("files", ("two.txt", b"two"))]
    admin.ask("POST", "/api/collections/pictures/records", files=files).raise_for_status()


def backed_up(backend: Backend, folder: Path) -> Path:
    session = session_of(backend)
    create_backup(backend.url, session, NAME)
    download_backup(backend.url, session, NAME, folder / NAME)
    return folder / NAME


@pytest.fixture
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A backup of the origin, where a test looks at that, else of one like it."""
    if "origin" in request.fixturenames:
        return backed_up(request.getfixturevalue("origin"), tmp_path)
    return Path(shutil.copy(request.getfixturevalue("filled").with_name(NAME), tmp_path))


@pytest.fixture(scope="module")
def bens(started_once: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a backend with a human Ben that has stopped."""
    folder = tmp_path_factory.mktemp("bens") / "b"
    shutil.copytree(started_once("b"), folder)
    with Backend(folder, locate().pocketbase, ENVIRONMENT) as backend:
        Person.register(backend.url, "Ben")
    return folder


@pytest.fixture
def target(start: Start, bens: Path) -> Backend:
    """A backend with a human Ben."""
    return start("b", bens)


@pytest.fixture
def session(target: Backend, archive: Path) -> Login:
    """The target's superuser, who has handed over the origin's backup."""
    found = session_of(target)
    upload_backup(target.url, found, archive, NAME)
    return found


def humans(backend: Backend) -> list[str]:
    return sorted(each["name"] for each in listed(backend, "humans"))


def listed(backend: Backend, collection: str) -> list[dict[str, Any]]:
    query = {"perPage": "500", "sort": "id"}
    answer = ask(
        "GET",
        f"{backend.url}/api/collections/{collection}/records",
        token=session_of(backend).token,
        params=query,
    )
    return list(answer.raise_for_status().json()["items"])


def schema(backend: Backend) -> list[dict[str, Any]]:
    answer = ask("GET", f"{backend.url}/api/collections?perPage=500&sort=id", token=session_of(backend).token)
    return list(answer.raise_for_status().json()["items"])


def settings(backend: Backend) -> dict[str, Any]:
    return dict(ask("GET", f"{backend.url}/api/settings", token=session_of(backend).token).raise_for_status().json())


def stored(backend: Backend) -> dict[str, bytes]:
    folder = backend.folder / "pb_data" / "storage"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def keeps_its_own(backend: Backend) -> None:
    """Its own data, without a trace of the attempt, and it takes new data."""
    assert humans(backend) == ["Ben"]
    assert count_records(backend.url, session_of(backend))["_mfas"] == 0
    Person.register(backend.url, "Cleo")


def kill(backend: Backend) -> None:
    os.kill(backend.pid, signal.SIGKILL)
    backend.stop()


def when_restoring(then: Callable[[], object]) -> Callable[[Passing], Answer | None]:
    """Does something once the backend has said that it will restore."""

    def interfere(passing: Passing) -> Answer | None:
        if not passing.path.endswith("/restore"):
            return None
        answer = passed_on(passing)
        then()
        return answer

    return interfere


class TestRestored:
    def test_records_schema_settings_and_files_are_restored(
        self, origin: Backend, target: Backend, session: Login
    ) -> None:
        restore_backup(target.url, session, NAME, relogin=lambda: login(target.url, *ADMIN))
        assert humans(target) == ["Ada"]
        for each in schema(origin):
            if each["type"] != "view" and each["name"] != "_authOrigins":
                assert listed(target, each["name"]) == listed(origin, each["name"])
        assert schema(target) == schema(origin)
        assert settings(target) == settings(origin)
        assert settings(target)["meta"]["appName"] == "Delphi"
        assert stored(target) == stored(origin)
        assert PICTURE in stored(target).values()

    def test_humans_log_in_with_their_passwords_and_old_tokens(
        self, origin: Backend, target: Backend, session: Login
    ) -> None:
        before = Person.login(origin.url, "humans", "ada@oracle.test", "Ada-password")
        restore_backup(target.url, session, NAME)
        Person.login(target.url, "humans", "ada@oracle.test", "Ada-password").create("oracles", name="Sibyl")
        after = Person(target.url, before.token, before.id)
        assert {each["name"] for each in after.list("oracles").json()["items"]} == {"Pythia", "Sibyl"}
        assert ask("POST", f"{target.url}/api/collections/humans/auth-refresh", token=before.token).is_success

    def test_the_session_becomes_invalid_and_the_backup_remains(self, target: Backend, session: Login) -> None:
        restore_backup(target.url, session, NAME)
        assert ask("GET", f"{target.url}/api/settings", token=session.token).status_code in (401, 403)
        assert [each.name for each in list_backups(target.url, session_of(target))] == [NAME]

    def test_a_backend_can_be_restored_from_its_own_backup(self, target: Backend) -> None:
        session = session_of(target)
        create_backup(target.url, session, "own.zip")
        Person.register(target.url, "Cleo")
        restore_backup(target.url, session, "own.zip", relogin=lambda: session)
        assert humans(target) == ["Ben"]
        assert count_records(target.url, session)["_mfas"] == 0

    def test_a_gateway_timeout_is_waited_out(self, target: Backend, session: Login) -> None:
        def gives_up(passing: Passing) -> Answer | None:
            if not passing.path.endswith("/restore"):
                return None
            passing.forward()
            return Answer(504, b"gave up")

        with Gateway(target.url, gives_up) as gateway:
            restore_backup(gateway.url, session, NAME)
        assert humans(target) == ["Ada"]

    def test_one_false_sign_of_success_is_not_enough(self, target: Backend, session: Login) -> None:
        looks: list[Passing] = []

        def deceives(passing: Passing) -> Answer | None:
            if passing.method != "GET" or "/_mfas/records/" not in passing.path:
                return None
            looks.append(passing)
            return Answer(404, NO_SIGN) if len(looks) == 1 else None

        with Gateway(target.url, deceives) as gateway:
            restore_backup(gateway.url, session, NAME)
            assert humans(target) == ["Ada"]

    @pytest.mark.parametrize("body", [b"no such app", b'{"error": "no such app"}'])
    def test_a_404_of_a_gateway_is_not_a_sign_of_success(self, target: Backend, session: Login, body: bytes) -> None:
        looks: list[Passing] = []

        def deceives(passing: Passing) -> Answer | None:
            if passing.method != "GET" or "/_mfas/records/" not in passing.path:
                return None
            looks.append(passing)
            return Answer(404, body) if len(looks) < 4 else None

        with Gateway(target.url, deceives) as gateway:
            restore_backup(gateway.url, session, NAME)
            assert humans(target) == ["Ada"]


def without_its_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def with_a_flipped_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def without_its_database(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("storage/x", b"x")


class TestNothingRestored:
    @pytest.mark.parametrize(
        "damage",
        [
            with_a_flipped_byte,
            pytest.param(without_its_end, marks=pytest.mark.slow),
            pytest.param(without_its_database, marks=pytest.mark.slow),
        ],
    )
    def test_a_damaged_backup(
        self, target: Backend, archive: Path, damage: Damage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(restores, "QUIET_AFTER_SECONDS", 0.5)
        damage(archive)
        session = session_of(target)
        upload_backup(target.url, session, archive, "bad.zip")
        text = r"did not restore the backup bad\.zip, and still has its own data: .+\. Fix: run `pulumi up"
        with raises_text(BackupFailed, text):
            restore_backup(target.url, session, "bad.zip")
        keeps_its_own(target)

    @pytest.mark.slow
    def test_a_second_try_is_not_told_of_the_first(
        self, target: Backend, session: Login, archive: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = archive.read_bytes()
        without_its_end(archive)
        upload_backup(target.url, session, archive, "bad.zip")
        with pytest.raises(BackupFailed, match="not a valid zip"):
            restore_backup(target.url, session, "bad.zip")
        (target.folder / "pb_data" / "backups" / "bad.zip").write_bytes(whole)
        monkeypatch.setattr(restores, "QUIET_AFTER_SECONDS", 0.0)  # the log is looked at from the beginning
        restore_backup(target.url, session, "bad.zip")
        assert humans(target) == ["Ada"]

    def test_a_backup_that_it_does_not_have(self, target: Backend) -> None:
        with raises_text(BackupFailed, r"has no backup two\.zip\. Fix: run `pulumi up --stack prod`\.$"):
            restore_backup(target.url, session_of(target), "two.zip")
        keeps_its_own(target)

    def test_while_a_backup_is_made(self, target: Backend, session: Login, threads: ThreadPoolExecutor) -> None:
        blocked = Blocked(target)
        creating = threads.submit(create_backup, target.url, session, "own.zip")
        try:
            health = f"{target.url}/api/health"
            until(lambda: not ask("GET", health, token=session.token).json()["data"]["canBackup"], "it is under way")
            with raises_text(BackupFailed, r"is in progress at .*\. Fix: wait until it has ended, then run"):
                restore_backup(target.url, session, NAME)
        finally:
            blocked.release()
        creating.result(30)
        keeps_its_own(target)

    def test_it_never_begins(self, target: Backend, session: Login, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(restores, "QUIET_AFTER_SECONDS", 0.1)
        monkeypatch.setattr(restores, "LOG_SECONDS", 0.1)
        monkeypatch.setattr(restores, "LATE_SECONDS", 0.5)

        def loses(passing: Passing) -> Answer | None:
            return Answer(502, b"") if passing.path.endswith("/restore") else None

        with Gateway(target.url, loses) as gateway, pytest.raises(BackupFailed, match="its log has no reason"):
            restore_backup(gateway.url, session, NAME)
        keeps_its_own(target)


class TestServerEnds:
    def test_it_stays_away(self, target: Backend, session: Login, monkeypatch: pytest.MonkeyPatch) -> None:
        """A freeze is on meanwhile, so nobody waits as long as a large backup may take."""
        monkeypatch.setattr(restores, "AWAY_SECONDS", 2.0)
        with (
            Gateway(target.url, when_restoring(lambda: kill(target))) as gateway,
            raises_text(BackupFailed, r"does not answer since the restore of the backup one\.zip began\. Fix: run"),
        ):
            restore_backup(gateway.url, session, NAME)
        target.start()
        assert humans(target) == ["Ben"]

    def test_it_comes_back_with_its_own_data(
        self, target: Backend, session: Login, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(restores, "QUIET_AFTER_SECONDS", 0.1)
        monkeypatch.setattr(restores, "LOG_SECONDS", 0.1)
        monkeypatch.setattr(restores, "LATE_SECONDS", 0.5)

        def restarted() -> None:
            kill(target)
            target.start()

        with (
            Gateway(target.url, when_restoring(restarted)) as gateway,
            pytest.raises(BackupFailed, match="still has its own data"),
        ):
            restore_backup(gateway.url, session, NAME)
        keeps_its_own(target)

    def test_it_comes_back_with_an_empty_disk(self, target: Backend, session: Login) -> None:
        def replaced() -> None:
            kill(target)
            shutil.rmtree(target.folder / "pb_data")
            target.start()

        with (
            Gateway(target.url, when_restoring(replaced)) as gateway,
            pytest.raises(BackupFailed, match=r"disk of the backend at .* was replaced"),
        ):
            restore_backup(gateway.url, session, NAME, relogin=lambda: login(target.url, *ADMIN))

    def test_a_database_that_cannot_be_opened(self, target: Backend, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as zipped:
            zipped.writestr("data.db", b"this is no database" * 1000)
        session = session_of(target)
        upload_backup(target.url, session, tmp_path / "bad.zip", "bad.zip")
        with pytest.raises(BackupFailed, match=r"did not restore the backup bad\.zip within 3 s"):
            restore_backup(target.url, session, "bad.zip", seconds=3)
