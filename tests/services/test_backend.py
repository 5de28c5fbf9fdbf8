"""The reference backend on real PocketBase: schema, admin and access rules."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import psutil
import pytest

from tests.services.conftest import RunBackend
from tests.support.backend import ADMIN, SOURCE, Backend, Person
from tests.support.http import ask
from tests.support.waiting import until

EMAIL, PASSWORD = ADMIN
COLLECTIONS = {"humans", "agents", "oracles", "oracle_heartbeats", "posts", "comments", "votes", "notifications"}


def admin(backend: Backend, password: str = PASSWORD) -> Person:
    return Person.login(backend.url, "_superusers", EMAIL, password)


def collections(person: Person) -> set[str]:
    answer = person.ask("GET", "/api/collections", params={"perPage": 100}).raise_for_status().json()
    return {collection["name"] for collection in answer["items"] if not collection["system"]}


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def ada(backend: Backend) -> Person:
    return Person.register(backend.url, "Ada")


@pytest.fixture(scope="module")
def ben(backend: Backend) -> Person:
    return Person.register(backend.url, "Ben")


@pytest.fixture(scope="module")
def guest(backend: Backend) -> Person:
    return Person(backend.url)


@pytest.fixture(scope="module")
def pythia(ada: Person) -> str:
    """An oracle that Ada keeps."""
    made = ada.create("oracles", name="Pythia").raise_for_status().json()
    assert made["human"] == ada.id
    return str(made["id"])


class TestStart:
    def test_an_empty_database_gets_the_whole_schema(self, run_backend: RunBackend) -> None:
        backend = run_backend(original=True, PB_ADMIN_EMAIL=EMAIL, PB_ADMIN_PASSWORD=PASSWORD)
        assert collections(admin(backend)) == COLLECTIONS

    def test_migrations_can_be_reverted_and_applied_again(self, run_backend: RunBackend) -> None:
        backend = run_backend(original=True, PB_ADMIN_EMAIL=EMAIL, PB_ADMIN_PASSWORD=PASSWORD)
        backend.stop()
        assert "Reverted" in backend.command("migrate", "down", "4").stdout
        backend.start()
        assert collections(admin(backend)) == COLLECTIONS

    def test_only_pb_data_is_written(self, run_backend: RunBackend) -> None:
        backend = run_backend(original=True, PB_ADMIN_EMAIL=EMAIL, PB_ADMIN_PASSWORD=PASSWORD)
        admin(backend).create("oracles", name="x")
        written = {name for name in files(backend.folder) if not name.startswith("pb_data/")}
        assert written == set(files(SOURCE))

    def test_scripts_are_executable(self) -> None:
        for name in ("entrypoint.sh", "oracle-universe"):
            assert stat.S_IMODE((SOURCE / name).stat().st_mode) == 0o755

    def test_data_survives_a_restart(self, run_backend: RunBackend) -> None:
        backend = run_backend()
        Person.register(backend.url, "Ada").create("posts", title="Kept", body="over a restart").raise_for_status()
        backend.stop()
        backend.start()
        assert [post["title"] for post in Person(backend.url).list("posts").json()["items"]] == ["Kept"]


class TestVersion:
    def test_the_version_endpoint_names_release_and_generation(self, backend: Backend) -> None:
        answer = ask("GET", f"{backend.url}/api/version").json()
        assert answer.pop("pocketbase").startswith("0.36.")
        assert answer == {"service": "oracle-universe-backend", "version": "r1", "generation": 3}

    @pytest.mark.parametrize("generation", ["", "many"])
    def test_the_version_endpoint_has_defaults_without_variables(
        self, run_backend: RunBackend, generation: str
    ) -> None:
        answer = ask("GET", f"{run_backend(GENERATION=generation).url}/api/version").json()
        assert (answer["version"], answer["generation"]) == ("dev", None)

    def test_the_health_endpoint_is_that_of_pocketbase(self, backend: Backend) -> None:
        answer = ask("GET", f"{backend.url}/api/health").json()
        assert answer["code"] == 200
        assert set(answer) == {"code", "message", "data"}


class TestSuperuser:
    def test_a_restart_with_the_same_password_does_not_invalidate_tokens(self, run_backend: RunBackend) -> None:
        backend = run_backend(PB_ADMIN_EMAIL=EMAIL, PB_ADMIN_PASSWORD=PASSWORD)
        before = admin(backend)
        backend.stop()
        backend.start()
        assert collections(before) >= COLLECTIONS
        assert "superuser: unchanged" in backend.log.read_text()

    def test_a_changed_password_invalidates_the_old_one_and_its_tokens(self, run_backend: RunBackend) -> None:
        backend = run_backend(PB_ADMIN_EMAIL=EMAIL, PB_ADMIN_PASSWORD=PASSWORD)
        before = admin(backend)
        backend.stop()
        backend.env["PB_ADMIN_PASSWORD"] = "another-password-2"
        backend.start()
        assert collections(admin(backend, "another-password-2")) >= COLLECTIONS
        assert before.ask("GET", "/api/collections").status_code in (401, 403)
        with pytest.raises(httpx.HTTPStatusError):
            admin(backend)

    def test_other_superusers_are_not_changed(self, run_backend: RunBackend) -> None:
        backend = run_backend()
        backend.command("superuser", "upsert", "other@oracle.test", "others-password")
        backend.stop()
        backend.env |= {"PB_ADMIN_EMAIL": EMAIL, "PB_ADMIN_PASSWORD": PASSWORD}
        backend.start()
        assert admin(backend).list("_superusers").json()["totalItems"] == 2
        Person.login(backend.url, "_superusers", "other@oracle.test", "others-password")

    @pytest.mark.parametrize("given", [{}, {"PB_ADMIN_EMAIL": EMAIL}, {"PB_ADMIN_PASSWORD": PASSWORD}])
    def test_no_superuser_is_created_without_both_values(self, run_backend: RunBackend, given: dict[str, str]) -> None:
        backend = run_backend(**given)
        assert "none asked for" in backend.log.read_text()
        with pytest.raises(httpx.HTTPStatusError):
            admin(backend)

    def test_no_installer_link_is_printed_without_a_superuser(self, run_backend: RunBackend) -> None:
        backend = run_backend()
        # PocketBase's own installer would print its link a moment after the start.
        with pytest.raises(TimeoutError):
            until(lambda: "pbinstal" in backend.log.read_text(), "an installer's link", seconds=1.5)

    def test_the_console_command_works_while_the_server_runs(self, run_backend: RunBackend) -> None:
        backend = run_backend()
        done = backend.command("superuser", "upsert", EMAIL, PASSWORD)
        assert "Successfully saved superuser" in done.stdout
        assert collections(admin(backend)) >= COLLECTIONS

    @pytest.mark.parametrize("email, password", [(EMAIL, "planted"), ("nobody", PASSWORD)])
    def test_invalid_values_stop_the_start_and_are_not_printed(
        self, run_backend: RunBackend, email: str, password: str
    ) -> None:
        with pytest.raises(RuntimeError, match="PocketBase refuses PB_ADMIN_EMAIL or PB_ADMIN_PASSWORD") as error:
            run_backend(PB_ADMIN_EMAIL=email, PB_ADMIN_PASSWORD=password)
        assert password not in str(error.value)

    def test_the_password_is_in_no_command_line_log_or_file(self, run_backend: RunBackend) -> None:
        backend = run_backend(PB_ADMIN_EMAIL=EMAIL, PB_ADMIN_PASSWORD=PASSWORD)
        admin(backend)
        process = psutil.Process(backend.pid)
        seen = [" ".join(each.cmdline()) for each in (process, *process.children(recursive=True))]
        seen.append(backend.log.read_text())
        assert not [text for text in seen if PASSWORD in text]
        assert not [name for name, content in files(backend.folder).items() if PASSWORD.encode() in content]


class TestRules:
    def test_a_post_belongs_to_its_author(self, ada: Person, guest: Person) -> None:
        made = ada.create("posts", title="Hello", body="World").raise_for_status().json()
        assert made["author"] == ada.id
        assert made["id"] in {post["id"] for post in guest.list("posts").json()["items"]}

    def test_guests_cannot_post_and_users_cannot_post_as_others(self, ada: Person, ben: Person, guest: Person) -> None:
        assert guest.create("posts", title="Hello", body="World").status_code == 400
        assert guest.create("posts", title="Hello", body="World", author=ada.id).status_code == 400
        assert ben.create("posts", title="Hello", body="World", author=ada.id).status_code == 400

    def test_only_the_author_changes_or_deletes_a_post(self, ada: Person, ben: Person) -> None:
        path = f"/api/collections/posts/records/{ada.create('posts', title='Mine', body='.').json()['id']}"
        assert ben.ask("PATCH", path, json={"title": "Yours"}).status_code == 404
        assert ben.ask("DELETE", path).status_code == 404
        assert ada.ask("PATCH", path, json={"author": ben.id}).status_code == 404
        assert ada.ask("PATCH", path, json={"title": "Better"}).json()["title"] == "Better"
        assert ada.ask("DELETE", path).status_code == 204

    def test_a_post_through_an_oracle_is_allowed_only_for_its_owner(
        self, ada: Person, ben: Person, pythia: str
    ) -> None:
        assert ada.create("posts", title="So it is", body=".", oracle=pythia).json()["oracle"] == pythia
        assert ben.create("posts", title="So it is", body=".", oracle=pythia).status_code == 400

    def test_a_post_through_an_oracle_is_a_heartbeat(self, ada: Person, guest: Person, pythia: str) -> None:
        def beats() -> int:
            return int(guest.list("oracle_heartbeats", filter=f"oracle = '{pythia}'").json()["totalItems"])

        before = beats()
        ada.create("posts", title="I live", body=".", oracle=pythia).raise_for_status()
        ada.create("posts", title="I live too", body=".").raise_for_status()
        assert beats() == before + 1

    def test_an_oracle_name_is_unique_and_changed_only_by_its_owner(
        self, ada: Person, ben: Person, pythia: str
    ) -> None:
        assert ben.create("oracles", name="Stolen", human=ada.id).status_code == 400
        assert ben.create("oracles", name="PYTHIA").status_code == 400
        path = f"/api/collections/oracles/records/{pythia}"
        assert ben.ask("PATCH", path, json={"name": "Taken"}).status_code == 404
        assert ada.ask("PATCH", path, json={"human": ben.id}).status_code == 404

    def test_heartbeats_are_sent_only_by_the_owner_or_its_agent(
        self, backend: Backend, ada: Person, ben: Person, pythia: str
    ) -> None:
        agent = {"name": "crow", "email": "crow@oracle.test", "password": "crow-password", "owner": ada.id}
        made = ada.create("agents", **agent, passwordConfirm="crow-password").raise_for_status().json()
        path = f"/api/collections/oracles/records/{pythia}"
        ada.ask("PATCH", path, json={"agent": made["id"]}).raise_for_status()
        crow = Person.login(backend.url, "agents", "crow@oracle.test", "crow-password")
        assert crow.create("oracle_heartbeats", oracle=pythia).status_code == 200
        assert ada.create("oracle_heartbeats", oracle=pythia).status_code == 200
        assert ben.create("oracle_heartbeats", oracle=pythia).status_code == 400

    def test_an_agent_belongs_to_its_creator(self, ada: Person, ben: Person) -> None:
        agent = {
            "name": "owl",
            "email": "owl@oracle.test",
            "password": "owl-password",
            "passwordConfirm": "owl-password",
        }
        assert ben.create("agents", **agent, owner=ada.id).status_code == 400

    def test_each_human_has_one_vote_per_post(self, ada: Person, ben: Person) -> None:
        post = ada.create("posts", title="Vote", body=".").json()["id"]
        assert ben.create("votes", post=post, value="up").status_code == 200
        assert ben.create("votes", post=post, value="down").status_code == 400

    def test_a_comment_notifies_only_the_author_of_the_post(self, ada: Person, ben: Person, guest: Person) -> None:
        post = ada.create("posts", title="Comment", body=".").json()["id"]
        comment = ben.create("comments", post=post, body="Indeed").raise_for_status().json()["id"]
        ada.create("comments", post=post, body="Thanks").raise_for_status()
        assert [each["comment"] for each in ada.list("notifications").json()["items"]] == [comment]
        assert ben.list("notifications").json()["items"] == []
        assert guest.list("notifications").json()["items"] == []
        assert ben.create("notifications", human=ada.id, comment=comment).status_code == 403

    def test_the_email_of_a_human_is_private(self, ada: Person, ben: Person, guest: Person) -> None:
        listed = guest.list("humans").json()["items"] + ben.list("humans", filter=f"id = '{ada.id}'").json()["items"]
        assert {human["name"] for human in listed} >= {"Ada", "Ben"}
        assert not [human for human in listed if human["id"] == ada.id and human.get("email")]
