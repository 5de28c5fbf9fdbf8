"""The requests of `oracle status` to the clouds' APIs, and their errors."""

from __future__ import annotations

from typing import Any

import pytest

from cli.status.clouds import AppFacts, CloudTrouble, WorkerFacts, fetch_app, fetch_worker
from clients.app_platform import AppPlatform, AppPlatformError
from clients.workers_api import Workers, WorkersApiError
from tests.unit.status import scene

SCRIPT = "/accounts/a/workers/scripts/s"


def _cloudflare(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any]) -> list[str]:
    """Cloudflare answers these paths below the script; what was asked."""
    asked: list[str] = []

    def request(_: Workers, method: str, path: str, body: Any = None) -> Any:
        asked.append(f"{method} {path.removeprefix(SCRIPT)}")
        answer = answers[path.removeprefix(SCRIPT)]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(Workers, "request", request)
    return asked


def _version(number: int, trigger: str) -> dict[str, Any]:
    metadata = {"created_on": scene.MADE, "source": "api", "author_email": "ann@example.org"}
    return {
        "id": f"v{number}",
        "number": number,
        "metadata": metadata,
        "annotations": {"workers/triggered_by": trigger},
    }


def _resources(*secrets: str) -> dict[str, Any]:
    bindings = [{"name": name, "type": "secret_text"} for name in secrets]
    return {"resources": {"bindings": bindings, "script": {"etag": "e"}}}


def _look() -> WorkerFacts | CloudTrouble:
    return fetch_worker("http://127.0.0.1:1", "a", "token", "s", 5)


def _shares(version: str) -> dict[str, Any]:
    return {"deployments": [{"versions": [{"version_id": version, "percentage": 100}], "created_on": scene.MADE}]}


def test_only_versions_with_a_changed_secret_need_the_earlier_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "/deployments": _shares("v4"),
        "/versions": {
            "items": [_version(4, "secret"), _version(3, "secret"), _version(2, "upload"), _version(1, "upload")]
        },
        "/subdomain": {"enabled": True},
        "/versions/v4": _resources("A", "B"),
        "/versions/v3": _resources("A"),
        "/versions/v2": _resources("A"),
    }
    asked = _cloudflare(monkeypatch, answers)
    found = _look()
    assert isinstance(found, WorkerFacts)
    assert dict(found.secrets) == {"v4": {"A", "B"}, "v3": {"A"}, "v2": {"A"}}
    assert (found.etag, found.enabled, found.active and found.active.number) == ("e", True, 4)
    assert all(each.startswith("GET ") for each in asked)


def test_an_uploaded_version_needs_no_earlier_version(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "/deployments": _shares("v2"),
        "/versions": {"items": [_version(3, "version_upload"), _version(2, "upload"), _version(1, "secret")]},
        "/subdomain": {},
        "/versions/v2": _resources("A"),
    }
    _cloudflare(monkeypatch, answers)
    found = _look()
    assert isinstance(found, WorkerFacts)
    assert list(found.secrets) == ["v2"]


@pytest.mark.parametrize(
    "error, why",
    [
        (WorkersApiError("no", codes=frozenset({6003}), status=400), "token"),
        (WorkersApiError("no", codes=frozenset(), status=403), "token"),
        (WorkersApiError("no", codes=frozenset({10013}), status=503), "failing"),
        (WorkersApiError("no", codes=frozenset(), status=429), "failing"),
        (WorkersApiError("no", codes=frozenset({7003}), status=404), "refused"),
        (WorkersApiError("no answer"), "unreachable"),
    ],
)
def test_errors_of_cloudflare_are_classified(monkeypatch: pytest.MonkeyPatch, error: WorkersApiError, why: str) -> None:
    _cloudflare(monkeypatch, {"/deployments": error})
    found = _look()
    assert isinstance(found, CloudTrouble)
    assert found.why == why


def test_a_missing_script_and_a_missing_token_are_recognized(monkeypatch: pytest.MonkeyPatch) -> None:
    _cloudflare(monkeypatch, {"/deployments": WorkersApiError("none", codes=frozenset({10007}), status=404)})
    found = _look()
    assert isinstance(found, WorkerFacts)
    assert found.gone
    assert fetch_worker("x", "a", None, "s", 5) == CloudTrouble(why="no token", text="CLOUDFLARE_API_TOKEN is not set")
    assert fetch_app("x", "", "app", 5) == CloudTrouble(why="no token", text="DIGITALOCEAN_TOKEN is not set")


def _digitalocean(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any]) -> list[Any]:
    bodies: list[Any] = []

    def request(_: AppPlatform, method: str, path: str, body: Any = None) -> Any:
        bodies.append(body)
        answer = answers[f"{method} {path}"]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(AppPlatform, "request", request)
    return bodies


def test_the_app_its_deployments_and_its_price_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: dict[str, Any] = {
        "GET /v2/apps/app-1": {"app": scene.app()},
        "GET /v2/apps/app-1/deployments": {"deployments": [{"id": "d-1"}]},
        "POST /v2/apps/propose": {"app_cost": 5},
    }
    bodies = _digitalocean(monkeypatch, answers)
    found = fetch_app("http://127.0.0.1:1", "token", "app-1", 5)
    assert isinstance(found, AppFacts)
    assert (found.cost, found.deployments, found.active and found.active["id"]) == (5.0, ({"id": "d-1"},), "d-1")
    assert bodies[-1]["app_id"] == "app-1"
    answers["POST /v2/apps/propose"] = AppPlatformError("no", status=422)
    found = fetch_app("http://127.0.0.1:1", "token", "app-1", 5)
    assert isinstance(found, AppFacts)
    assert found.cost is None


@pytest.mark.parametrize("status, why", [(401, "token"), (500, "failing"), (None, "unreachable"), (422, "refused")])
def test_errors_of_digitalocean_are_classified(monkeypatch: pytest.MonkeyPatch, status: int | None, why: str) -> None:
    _digitalocean(monkeypatch, {"GET /v2/apps/app-1": AppPlatformError("It said no.", status=status)})
    assert fetch_app("http://127.0.0.1:1", "token", "app-1", 5) == CloudTrouble(why=why, text="It said no")  # type: ignore[arg-type]


def test_a_missing_app_is_recognized(monkeypatch: pytest.MonkeyPatch) -> None:
    _digitalocean(monkeypatch, {"GET /v2/apps/app-1": AppPlatformError("none", status=404)})
    assert fetch_app("http://127.0.0.1:1", "token", "app-1", 5) == AppFacts()
