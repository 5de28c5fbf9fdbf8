"""The client of Cloudflare's Workers API, against the local cloud and failing APIs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clients.workers_api import Workers, WorkersApiError
from clients.workers_api import client as client_module
from errors import Remedy
from tests.clients.workers_api.conftest import SERVICE, Site
from tests.support.cloud import RunningCloud
from tests.support.http import ask
from tests.support.stub_server import Reply, Request, StubServer
from tests.support.waiting import free_port

TOKEN = "planted-cloudflare-token-0123456789-abcdefgh"
PLANTED = "planted-secret-4711"


def fault(cloud: RunningCloud, **description: Any) -> None:
    answer = ask("POST", f"{cloud.url}/_cloud/faults", token=cloud.tokens.digitalocean, json=description)
    assert answer.status_code == 200, answer.text


class TestBindings:
    def test_bindings_are_listed_by_name_without_secret_values(self, workers: Workers, fronted: Site) -> None:
        assert workers.bindings(fronted.name) == {
            "WORD": {"name": "WORD", "type": "plain_text", "text": "bound"},
            "KEY": {"name": "KEY", "type": "secret_text"},
        }

    def test_a_missing_script_has_no_bindings(self, workers: Workers) -> None:
        assert workers.bindings("nobody") is None

    def test_bindings_of_another_account_are_an_error(self, cloud: RunningCloud) -> None:
        with (
            Workers(f"{cloud.url}/client/v4", "0" * 32, cloud.tokens.cloudflare) as strange,
            pytest.raises(WorkersApiError, match="refused the token"),
        ):
            strange.bindings("nobody")


class TestVersion:
    def test_the_version_with_the_most_traffic_is_returned(self, workers: Workers, passing: Site) -> None:
        first = workers.version(passing.name)
        assert first
        workers.put_secrets(passing.name, {"A": "b"})
        assert workers.version(passing.name) not in (None, first)

    @pytest.mark.parametrize("shares, version", [({"a": 20, "b": 80}, "b"), ({}, None)])
    def test_the_largest_share_of_split_traffic_decides(self, shares: dict[str, int], version: str | None) -> None:
        listed = [{"version_id": id, "percentage": share} for id, share in shares.items()]
        body = json.dumps({"result": {"deployments": [{"versions": listed}]}}).encode()
        with answering(200, body) as (url, _), Workers(url, "a", TOKEN) as workers:
            assert workers.version("s") == version


class TestModules:
    def test_a_module_is_returned_as_it_was_uploaded(self, workers: Workers, bare: Site) -> None:
        assert workers.modules(bare.name) == {"worker.js": SERVICE.encode()}

    def test_a_missing_script_has_no_modules(self, workers: Workers) -> None:
        assert workers.modules("nobody") == {}

    def test_a_site_without_code_has_no_modules(self) -> None:
        with answering(204, b"") as (url, _), Workers(url, "a", TOKEN) as workers:
            assert workers.modules("s") == {}

    def test_multipart_modules_are_returned_by_name_and_unchanged(self) -> None:
        """Cloudflare returns every module Worker in this form, also one with a single module."""
        code, other = b"export default {}\n// \xc3\xbc\r\n\rend\n", bytes(range(256))
        head = b'--x-1\r\nContent-Disposition: form-data; name="'
        form = head + b'index.js"\r\nContent-Type: application/javascript+module\r\n\r\n' + code + b"\r\n"
        form += head + b'a"; filename="b.wasm"\r\nContent-Type: application/wasm\r\n\r\n' + other + b"\r\n--x-1--\r\n"
        kind = {"content-type": "multipart/form-data; boundary=x-1"}
        with answering(200, form, kind) as (url, _), Workers(url, "a", TOKEN) as workers:
            assert workers.modules("s") == {"index.js": code, "b.wasm": other}

    def test_a_refused_read_is_an_error(self, cloud: RunningCloud, workers: Workers, bare: Site) -> None:
        fault(cloud, method="GET", path="*/content/v2", status=403, count=1)
        with pytest.raises(WorkersApiError, match="refused the token"):
            workers.modules(bare.name)


@pytest.fixture
def passing(cloud: RunningCloud) -> Site:
    """A Worker that a test may take away."""
    site = Site(cloud, "passing")
    site.put(SERVICE)
    return site


class TestDeletion:
    def test_a_script_can_be_deleted_twice(self, workers: Workers, passing: Site) -> None:
        workers.delete(passing.name)
        assert workers.bindings(passing.name) is None
        workers.delete(passing.name)

    def test_a_refused_deletion_is_an_error(self, cloud: RunningCloud, workers: Workers, passing: Site) -> None:
        fault(cloud, method="DELETE", path="*/workers/scripts/*", status=403, count=1)
        with pytest.raises(WorkersApiError, match="403"):
            workers.delete(passing.name)
        assert workers.bindings(passing.name) is not None


class TestSecrets:
    def test_several_secrets_are_set_at_once_and_others_stay(self, workers: Workers, fronted: Site) -> None:
        workers.put_secrets(fronted.name, {"ONE": "1", "TWO": "1"})
        workers.put_secrets(fronted.name, {"TWO": "2"})
        bindings = workers.bindings(fronted.name) or {}
        assert set(bindings) == {"WORD", "KEY", "ONE", "TWO"}
        assert bindings["TWO"] == {"name": "TWO", "type": "secret_text"}
        assert fronted.ask("GET").text == "GET bound kept "

    def test_the_error_has_the_apis_own_message(self, workers: Workers, fronted: Site) -> None:
        with pytest.raises(WorkersApiError, match="already in use") as refused:
            workers.put_secrets(fronted.name, {"WORD": PLANTED})
        assert refused.value.codes == {10053}
        assert PLANTED not in str(refused.value)
        with pytest.raises(WorkersApiError, match="does not exist on your account"):
            workers.put_secrets("nobody", {"A": "b"})

    def test_a_name_cannot_change_the_path_of_a_request(self, workers: Workers, fronted: Site) -> None:
        before = workers.bindings(fronted.name)
        with pytest.raises(WorkersApiError):
            workers.put_secrets(f"x/../{fronted.name}", {"A": "b"})
        assert workers.bindings(fronted.name) == before


class TestTrouble:
    @pytest.mark.parametrize("description", [{"status": 500}, {"status": 429}, {"status": 503}, {"drop": True}])
    def test_a_temporary_failure_is_retried(
        self, cloud: RunningCloud, workers: Workers, fronted: Site, description: dict[str, Any]
    ) -> None:
        fault(cloud, path="*/secrets*", count=2, **description)
        workers.put_secrets(fronted.name, {"TRIED": "again"})
        assert "TRIED" in (workers.bindings(fronted.name) or {})

    def test_a_lasting_failure_is_an_error_after_the_time_limit(self, cloud: RunningCloud, fronted: Site) -> None:
        fault(cloud, path="*/secrets*", count=1000, status=502)
        known = (f"{cloud.url}/client/v4/", cloud.tokens.account_id, cloud.tokens.cloudflare)
        with Workers(*known, patience=1.0) as workers, pytest.raises(WorkersApiError, match="status 502"):
            workers.put_secrets(fronted.name, {"A": PLANTED})

    def test_without_patience_a_request_is_sent_once(self) -> None:
        with answering(503, b"{}") as (url, seen):
            with Workers(url, "a", TOKEN, patience=0) as workers, pytest.raises(WorkersApiError) as refused:
                workers.bindings("s")
            assert (len(seen), refused.value.status) == (1, 503)

    def test_a_final_error_is_not_retried(self) -> None:
        with answering(400, b'{"errors": [{"code": 10021, "message": "No."}]}') as (url, seen):
            with Workers(url, "a", TOKEN) as workers, pytest.raises(WorkersApiError, match=r" \(status 400\): No$"):
                workers.put_secrets("s", {"A": PLANTED})
            assert len(seen) == 1
        with answering(500, b"{}", {"x-should-retry": "false"}) as (url, seen):
            with Workers(url, "a", TOKEN) as workers, pytest.raises(WorkersApiError):
                workers.put_secrets("s", {"A": PLANTED})
            assert len(seen) == 1

    def test_an_unreachable_api_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client_module, "RETRY_SECONDS", 0.5)
        endpoint = f"http://127.0.0.1:{free_port()}/client/v4"
        with Workers(endpoint, "a", TOKEN) as away, pytest.raises(WorkersApiError, match="does not answer") as refused:
            away.bindings("s")
        assert refused.value.helps == (Remedy.START_LOCAL_CLOUD,)

    @pytest.mark.parametrize("status, body", [
        (401, b'{"errors": [{"code": 10000, "message": "Authentication error"}]}'),
        (403, b'{"errors": [{"code": 9109, "message": "Invalid access token"}]}'),
        (400, b'{"errors": [{"code": 6003, "message": "Invalid request headers"}]}'),
        (403, b"<html>"),
    ])  # fmt: skip
    def test_a_refused_token_is_reported_and_never_shown(self, status: int, body: bytes) -> None:
        with answering(status, body) as (url, seen):
            with Workers(url, "a", TOKEN) as workers, pytest.raises(WorkersApiError, match="refused the token") as no:
                workers.bindings("s")
            assert seen == [f"Bearer {TOKEN}"]
        assert TOKEN not in str(no.value)
        assert "CLOUDFLARE_API_TOKEN" in str(no.value)

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'"text"'])
    def test_an_answer_without_the_apis_envelope_is_an_error(self, body: bytes) -> None:
        with (
            answering(200, body) as (url, _),
            Workers(url, "a", TOKEN, patience=0) as workers,
            pytest.raises(WorkersApiError, match="is not from Cloudflare's API"),
        ):
            workers.bindings("s")

    def test_a_missing_token_is_reported_with_the_next_command(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CLOUDFLARE_API_TOKEN", raising=False)
        with pytest.raises(WorkersApiError, match=r"^CLOUDFLARE_API_TOKEN is not set\.$") as refused:
            Workers("http://127.0.0.1:1", "a")
        assert refused.value.helps == (Remedy.LOAD_ENVIRONMENT,)

    def test_the_token_is_read_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CLOUDFLARE_API_TOKEN", TOKEN)
        with answering(200, b'{"result": null}') as (url, seen), Workers(url, "a") as workers:
            assert workers.bindings("s") == {}
            assert seen == [f"Bearer {TOKEN}"]


@contextmanager
def answering(status: int, body: bytes, headers: dict[str, str] | None = None) -> Iterator[tuple[str, list[str]]]:
    """The address of an API that always answers this, and the Authorization headers that it got."""
    seen: list[str] = []

    def reply(request: Request) -> Reply:
        seen.append(request.headers["authorization"])
        return Reply(body, status, headers=headers or {})

    with StubServer(reply) as server:
        yield server.url, seen
