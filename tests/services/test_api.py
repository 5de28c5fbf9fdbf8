"""The API Worker on real workerd, before a real PocketBase and before failing backends."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.support import workers
from tests.support.backend import ADMIN, Backend
from tests.support.http import ask
from tests.support.stub_server import Reply, StubServer
from tests.support.waiting import free_port
from tests.support.workers import Worker
from toolchain.tools import Tools

SECRETS = {"PB_ADMIN_EMAIL": ADMIN[0], "PB_ADMIN_PASSWORD": ADMIN[1], "GITHUB_TOKEN": "planted-github-token"}

NOWHERE = f"http://127.0.0.1:{free_port()}"

Ask = Callable[..., httpx.Response]


def api(backend: str, name: str = "api", **bindings: str) -> Worker:
    bound = {"POCKETBASE_URL": backend, "RELEASE": "w1", **SECRETS, **bindings}
    return Worker(name=name, module=workers.API, bindings={key: value for key, value in bound.items() if value})


@pytest.fixture(scope="module")
def urls(tools: Tools, backend: Backend) -> Iterator[dict[str, str]]:
    """One Worker bound as it should be, and some that are not."""
    wanted = [
        api(backend.url + "/"),
        api(backend.url, "wrong-admin", PB_ADMIN_PASSWORD="not-the-password"),
        api(backend.url, "bare", RELEASE="", PB_ADMIN_EMAIL="", PB_ADMIN_PASSWORD="", GITHUB_TOKEN=""),
        api("", "unbound"),
        api(NOWHERE, "away"),
    ]
    with workers.running(tools, wanted) as running:
        yield running


@pytest.fixture(scope="module")
def call(urls: dict[str, str], backend: Backend) -> Ask:
    """call(method, path) asks the good Worker, and proves of each answer that it carries no secret."""

    def ask_api(method: str, path: str, worker: str = "api", **options: Any) -> httpx.Response:
        answer = ask(method, urls[worker] + path, **options)
        seen = answer.text + str(answer.headers)
        assert not [secret for secret in (*SECRETS.values(), backend.url, NOWHERE) if secret in seen]
        return answer

    return ask_api


@pytest.fixture(scope="module")
def token(call: Ask) -> str:
    """Ada's, who is registered."""
    who = {"name": "Ada", "email": "ada@oracle.test", "password": "ada-password"}
    answer = call("POST", "/api/register", json=who)
    assert answer.status_code == 201
    assert answer.json()["human"]["name"] == "Ada"
    return str(answer.json()["token"])


class TestState:
    def test_health_names_both_releases(self, call: Ask) -> None:
        answer = call("GET", "/api/health")
        body = answer.json()
        assert answer.status_code == 200
        assert 0 <= body["backend"].pop("ms") < 3000
        assert body == {
            "status": "ok",
            "version": "w1",
            "backend": {"status": "ok", "version": "r1", "generation": 3},
        }

    def test_the_version_endpoint_names_the_release(self, call: Ask) -> None:
        assert call("GET", "/api/version").json() == {"service": "oracle-universe-api", "version": "w1"}
        assert call("GET", "/api/version", "bare").json()["version"] == "dev"

    @pytest.mark.parametrize("worker, admin", [("api", True), ("wrong-admin", False)])
    def test_the_admin_check_logs_in_at_the_backend(self, call: Ask, worker: str, admin: bool) -> None:
        answer = call("GET", "/api/admin/check", worker)
        assert (answer.status_code, answer.json()) == (200, {"admin": admin})

    @pytest.mark.parametrize("worker, configured", [("api", True), ("bare", False)])
    def test_the_github_endpoint_says_only_if_a_token_is_configured(
        self, call: Ask, worker: str, configured: bool
    ) -> None:
        assert call("GET", "/api/github", worker).json() == {"configured": configured}

    def test_missing_bindings_are_named(self, call: Ask) -> None:
        assert "PB_ADMIN_PASSWORD" in call("GET", "/api/admin/check", "bare").json()["message"]
        answer = call("GET", "/api/posts", "unbound")
        assert (answer.status_code, answer.json()["error"]) == (500, "not_configured")
        assert "POCKETBASE_URL" in answer.json()["message"]
        assert call("GET", "/api/health", "unbound").json()["backend"]["status"] == "not_configured"


class TestPeople:
    def test_login_returns_a_token_that_may_write(self, call: Ask, token: str) -> None:
        answer = call("POST", "/api/login", json={"email": "ada@oracle.test", "password": "ada-password"})
        assert answer.status_code == 200
        post = {"title": "By login", "body": "."}
        assert call("POST", "/api/posts", token=answer.json()["token"], json=post).status_code == 201

    def test_a_wrong_password_is_401_without_details(self, call: Ask, token: str) -> None:
        known = call("POST", "/api/login", json={"email": "ada@oracle.test", "password": "wrong-password"})
        unknown = call("POST", "/api/login", json={"email": "eve@oracle.test", "password": "wrong-password"})
        assert (known.status_code, known.json()["error"]) == (401, "invalid_login")
        assert known.json() == unknown.json()

    @pytest.mark.parametrize(
        "change, field",
        [({"email": "ada@oracle.test"}, "email"), ({"password": "short"}, "password"), ({"name": " "}, "name")],
    )
    def test_a_refused_registration_names_the_field(
        self, call: Ask, token: str, change: dict[str, str], field: str
    ) -> None:
        who = {"name": "Cy", "email": "cy@oracle.test", "password": "cy-password", **change}
        answer = call("POST", "/api/register", json=who)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid")
        assert answer.json()["message"].startswith(f"{field}: ")


class TestPosts:
    def test_a_created_post_is_listed_first_and_stored_in_the_backend(
        self, call: Ask, token: str, backend: Backend
    ) -> None:
        call("POST", "/api/posts", token=token, json={"title": "Older", "body": "."})
        created = call("POST", "/api/posts", token=token, json={"title": "Newer", "body": "Text"})
        assert created.status_code == 201
        post = created.json()
        assert (post["title"], post["body"], post["author"]["name"], post["oracle"]) == ("Newer", "Text", "Ada", None)
        assert [each["title"] for each in call("GET", "/api/posts").json()["items"][:2]] == ["Newer", "Older"]
        stored = ask("GET", f"{backend.url}/api/collections/posts/records/{post['id']}").json()
        assert stored["title"] == "Newer"

    def test_posts_are_listed_in_pages(self, call: Ask, token: str) -> None:
        for number in range(3):
            call("POST", "/api/posts", token=token, json={"title": f"Page {number}", "body": "."})
        second = call("GET", "/api/posts", params={"page": 2, "perPage": 1}).json()
        assert [post["title"] for post in second["items"]] == ["Page 1"]
        assert (second["page"], second["perPage"]) == (2, 1)
        assert second["totalPages"] == second["totalItems"] >= 3
        assert call("GET", "/api/posts", params={"perPage": "lots", "page": "-1"}).json()["perPage"] == 20
        assert call("GET", "/api/posts", params={"perPage": 5000}).json()["perPage"] == 100

    def test_a_post_is_returned_with_its_comments(self, call: Ask, token: str) -> None:
        id = call("POST", "/api/posts", token=token, json={"title": "One", "body": "."}).json()["id"]
        said = call("POST", f"/api/posts/{id}/comments", token=token, json={"body": "Indeed"})
        assert said.status_code == 201
        found = call("GET", f"/api/posts/{id}").json()
        assert found["title"] == "One"
        assert [(each["body"], each["author"]["name"]) for each in found["comments"]] == [("Indeed", "Ada")]

    def test_writing_needs_a_login(self, call: Ask, token: str) -> None:
        post = {"title": "No", "body": "."}
        without = call("POST", "/api/posts", json=post)
        assert (without.status_code, without.json()["error"]) == (401, "login_needed")
        forged = call("POST", "/api/posts", token=token[:-3] + "abc", json=post)
        assert (forged.status_code, forged.json()["error"]) == (403, "forbidden")

    @pytest.mark.parametrize(
        "content, status",
        [
            (b"not json", 400),
            (b"[]", 400),
            (b"null", 400),
            (b'{"title": "no text"}', 400),
            (b'{"title": 1, "body": "."}', 400),
            (b'{"title": "' + b"x" * 201 + b'", "body": "."}', 400),
            (b'{"title": "' + b"x" * 70_000 + b'"}', 413),
        ],
    )
    def test_a_bad_body_is_refused_with_a_sentence(self, call: Ask, token: str, content: bytes, status: int) -> None:
        answer = call("POST", "/api/posts", token=token, content=content)
        assert answer.status_code == status
        assert answer.json()["message"]

    def test_a_filter_cannot_be_injected(self, call: Ask, token: str) -> None:
        call("POST", "/api/posts", token=token, json={"title": "Not to be found", "body": "."})
        answer = call("GET", "/api/posts", params={"oracle": "' || id != '"})
        assert answer.status_code == 200
        assert answer.json()["items"] == []


class TestOracles:
    def test_an_oracle_with_a_heartbeat_is_online(self, call: Ask, token: str) -> None:
        named = call("POST", "/api/oracles", token=token, json={"name": "Pythia", "description": "of Delphi"})
        assert named.status_code == 201
        quiet = call("POST", "/api/oracles", token=token, json={"name": "Dodona"}).json()
        oracle = named.json()
        post = call("POST", "/api/posts", token=token, json={"title": "So", "body": ".", "oracle": oracle["id"]})
        assert post.json()["oracle"] == {"id": oracle["id"], "name": "Pythia"}
        online = {each["name"]: each["online"] for each in call("GET", "/api/oracles").json()["items"]}
        assert online == {"Pythia": True, "Dodona": False}
        assert call("POST", f"/api/oracles/{quiet['id']}/heartbeats", token=token).status_code == 201
        assert all(each["online"] for each in call("GET", "/api/oracles").json()["items"])

    def test_posts_can_be_filtered_by_oracle(self, call: Ask, token: str) -> None:
        oracle = call("POST", "/api/oracles", token=token, json={"name": "Claros"}).json()["id"]
        for title, through in (("Its own", oracle), ("Not its", "")):
            call("POST", "/api/posts", token=token, json={"title": title, "body": ".", "oracle": through})
        listed = call("GET", "/api/posts", params={"oracle": oracle}).json()["items"]
        assert [post["title"] for post in listed] == ["Its own"]


class TestHttp:
    @pytest.mark.parametrize(
        "path", ["/", "/api", "/api/nothing", "/api/posts/short", "/api/posts/abcdefghijklmno", "/api/posts/../health/"]
    )
    def test_unknown_addresses_are_404(self, call: Ask, path: str) -> None:
        answer = call("GET", path)
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")

    def test_a_wrong_method_is_405_and_names_the_allowed_ones(self, call: Ask) -> None:
        answer = call("DELETE", "/api/posts")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST, OPTIONS")

    def test_head_answers_like_get_without_a_body(self, call: Ask) -> None:
        answer = call("HEAD", "/api/health")
        assert (answer.status_code, answer.content) == (200, b"")

    def test_browsers_of_any_origin_may_call_the_api(self, call: Ask) -> None:
        origin = {"origin": "https://oraclenet.org", "access-control-request-method": "POST"}
        preflight = call("OPTIONS", "/api/posts", headers=origin)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert "authorization" in preflight.headers["access-control-allow-headers"]
        for path in ("/api/posts", "/api/nothing"):
            assert call("GET", path).headers["access-control-allow-origin"] == "*"


class TestBackendAway:
    @pytest.mark.parametrize("path", ["/api/posts", "/api/oracles", "/api/admin/check"])
    def test_requests_are_503_with_a_retry_after_header(self, call: Ask, path: str) -> None:
        answer = call("GET", path, "away")
        assert (answer.status_code, answer.json()["error"]) == (503, "backend_away")
        assert int(answer.headers["retry-after"]) > 0

    def test_health_is_503_and_still_names_the_workers_release(self, call: Ask) -> None:
        answer = call("GET", "/api/health", "away")
        assert answer.status_code == 503
        assert (answer.json()["status"], answer.json()["version"]) == ("degraded", "w1")
        assert answer.json()["backend"]["status"] == "away"

    def test_version_does_not_need_the_backend(self, call: Ask) -> None:
        assert call("GET", "/api/version", "away").status_code == 200

    def test_the_api_recovers_when_the_backend_is_back(self, tools: Tools, backend: Backend) -> None:
        with workers.running(tools, [api(backend.url)]) as urls:
            backend.stop()
            assert ask("GET", urls["api"] + "/api/health").status_code == 503
            backend.start()
            assert ask("GET", urls["api"] + "/api/health").status_code == 200


class TestBackendUnwell:
    def test_a_backend_that_never_answers_times_out(self, tools: Tools) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"
            with workers.running(tools, [api(address)]) as urls:
                answer = ask("GET", urls["api"] + "/api/health")
        assert answer.status_code == 503
        assert answer.json()["backend"]["status"] == "away"
        assert 2500 < answer.json()["backend"]["ms"] < 6000

    @pytest.mark.parametrize(
        "status, body, state, error",
        [
            (503, "<h1>no healthy upstream</h1>", "away", (503, "backend_away")),
            (200, "<h1>another site</h1>", "failing", (502, "backend_failing")),
            (500, '{"message": "broken"}', "failing", (502, "backend_failing")),
            (302, "", "failing", (502, "backend_failing")),
            (429, "{}", "failing", (429, "too_many_requests")),
        ],
    )
    def test_unexpected_answers_of_the_backend_are_handled(
        self, tools: Tools, status: int, body: str, state: str, error: tuple[int, str]
    ) -> None:
        with answering(status, body) as address, workers.running(tools, [api(address)]) as urls:
            health = ask("GET", urls["api"] + "/api/health")
            posts = ask("GET", urls["api"] + "/api/posts")
        assert (health.status_code, health.json()["backend"]["status"]) == (503, state)
        assert (posts.status_code, posts.json()["error"]) == error
        assert posts.headers["retry-after"] == "5"


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """The address of a server that always answers the same."""

    reply = Reply(body, status, headers={"location": "/elsewhere"})
    with StubServer(lambda _: reply, keep_alive=True) as server:  # workerd reuses connections
        yield server.url
