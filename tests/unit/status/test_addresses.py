"""The search for the backend's address in running code, and the findings of `oracle status`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from artifacts.addresses import BackendAddresses, Occurrence
from cli.status import addresses, collect
from cli.status.addresses import find_in_worker
from cli.status.probe import TimedOut
from clients.workers_api import Workers, WorkersApiError
from tests.support.stacks import LOCAL
from tests.unit.status import scene

HOST = "jellyfish-app-xml6o.ondigitalocean.app"
CODE = f"first\nconst url = 'https://{HOST}'".encode()
FOUND = (Occurrence(file="index.js", line=2, column=22, hostname=HOST),)


@pytest.fixture(autouse=True)
def nothing_is_known() -> Iterator[None]:
    addresses._CACHE.clear()
    yield
    addresses._CACHE.clear()


def cloudflare(monkeypatch: pytest.MonkeyPatch, *, version: Any = "v1", code: Any = CODE) -> list[str]:
    """Cloudflare says this of every Worker, or refuses; whose code was downloaded."""
    asked: list[str] = []

    def modules(_: Workers, script: str) -> dict[str, bytes]:
        asked.append(script)
        if isinstance(code, Exception):
            raise code
        return {"index.js": code}

    def request(_: Workers, method: str, path: str, body: object = None) -> dict[str, Any]:
        assert (method, path) == ("GET", "/accounts/a/workers/scripts/s/deployments")
        shares = [{"version_id": "other", "percentage": 10}, {"version_id": version, "percentage": 90}]
        return {"deployments": [{"versions": shares if version else []}]}

    monkeypatch.setattr(Workers, "modules", modules)
    monkeypatch.setattr(Workers, "request", request)
    return asked


def look(**urls: str) -> addresses.Found | None:
    backends = BackendAddresses.of("jellyfish-app", urls.values())
    return find_in_worker("http://127.0.0.1:1", "a", "token", "s", backends, 5)


def test_the_running_code_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    cloudflare(monkeypatch)
    assert look() == FOUND


def test_a_version_is_downloaded_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = cloudflare(monkeypatch)
    assert (look(), look(), len(asked)) == (FOUND, FOUND, 1)
    asked = cloudflare(monkeypatch, version="v2", code=b"")
    assert (look(), look(), len(asked)) == ((), (), 1)
    asked = cloudflare(monkeypatch, version="v2", code=b"https://pb.example.org")
    assert [each.hostname for each in look(url="https://pb.example.org") or ()] == ["pb.example.org"]


@pytest.mark.parametrize(
    "error", [WorkersApiError("no", codes=frozenset({10013}), status=503), WorkersApiError("no answer")]
)
def test_unreadable_code_is_unknown(monkeypatch: pytest.MonkeyPatch, error: WorkersApiError) -> None:
    cloudflare(monkeypatch, code=error)
    assert look() is None
    assert find_in_worker("http://127.0.0.1:1", "a", None, "s", BackendAddresses.of("jellyfish-app"), 5) is None


def test_the_code_is_searched_for_the_addresses_of_all_stacks(tmp_path: Path) -> None:
    other = LOCAL.read_text().replace("appName: jellyfish-app", "appName: jellyfish-app-ada")
    (tmp_path / "Pulumi.ada.yaml").write_text(other)
    stack = SimpleNamespace(digitalocean="http://127.0.0.1:1", cloudflare="http://127.0.0.1:1", project=tmp_path)
    engine: Any = SimpleNamespace(stack=stack, environment={"CLOUDFLARE_API_TOKEN": "token"})
    questions = collect._reads(engine, scene.SETTINGS, scene.declared(), scene.sight().addresses)
    asked = {name: question for name, question in questions.items() if name.startswith("addresses ")}
    assert list(asked) == ["addresses api", "addresses universe", "addresses web"]
    for name, question in asked.items():
        assert isinstance(question, partial)
        script, backends = question.args[3:5]
        assert script == scene.NAMES[name.removeprefix("addresses ")]
        assert backends == BackendAddresses(
            "jellyfish-app", frozenset({"app.example.org"}), frozenset({"jellyfish-app-ada"})
        )


def test_a_worker_with_the_address_in_its_code_is_degraded() -> None:
    seen = scene.sight(backend_addresses={"api": FOUND, "web": (), "universe": None})
    assert scene.blamed(seen, scene.REAL) == (
        "api",
        "degraded",
        (
            f"oracle-universe-api has the backend's address written in its code: {HOST} (index.js:2:22). Each "
            "release of the backend gets another address, and the app at the one before is deleted. The code should "
            "read the address from the binding POCKETBASE_URL."
        ),
        "oracle deploy api --stack prod",
    )


def test_the_fix_for_a_site_is_to_call_the_api() -> None:
    _, _, what, next = scene.blamed(scene.sight(backend_addresses={"web": FOUND}))
    assert what.endswith("The code should call the API at /_api, or at the apiUrl of /config.json.")
    assert next == "oracle deploy web --stack local"


def test_collect_passes_on_the_addresses_it_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: dict[str, Any] = {"addresses api": FOUND, "addresses web": TimedOut(), "addresses universe": ()}

    def together(questions: dict[str, Any], _: float) -> dict[str, Any]:
        return {name: answers.get(name, TimedOut()) for name in questions}

    monkeypatch.setattr(collect, "gather_with_deadline", together)
    stack = SimpleNamespace(digitalocean="http://127.0.0.1:1", cloudflare="http://127.0.0.1:1", project=tmp_path)
    engine: Any = SimpleNamespace(stack=stack, environment={})
    found = collect.collect(engine, scene.SETTINGS, scene.declared()).backend_addresses
    assert found == {"api": FOUND, "web": None, "universe": ()}
