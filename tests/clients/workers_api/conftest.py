"""A local cloud of these tests' own, and Workers on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from clients.workers_api import Workers
from sources.write_gate import with_write_gate
from tests.support.cloud import RunningCloud
from tests.support.http import ask
from tests.support.waiting import free_port

SERVICE = """export default { async fetch(request, env) {
  return new Response(`${request.method} ${env.WORD ?? "-"} ${env.KEY ?? "-"} ${await request.text()}`);
} };"""


@dataclass(frozen=True)
class Site:
    """A Worker on the local cloud, and how its engine would upload it."""

    cloud: RunningCloud
    name: str

    @property
    def url(self) -> str:
        return f"http://{self.name}.oracle.workers.localhost:{self.cloud.edge_port}"

    def put(self, module: str, **secrets: str) -> None:
        """Uploads it with exactly these secrets."""
        bindings: list[dict[str, Any]] = [{"name": "WORD", "type": "plain_text", "text": "bound"}]
        bindings += [{"name": name, "type": "secret_text", "text": text} for name, text in secrets.items()]
        metadata = {"main_module": "worker.js", "compatibility_date": "2025-06-01", "bindings": bindings}
        module_part = ("worker.js", module, "application/javascript+module")
        form = [("metadata", (None, json.dumps(metadata), "application/json")), ("worker.js", module_part)]
        self._api("PUT", "", files=form)
        self._api("POST", "/subdomain", json={"enabled": True})

    def ask(self, method: str, path: str = "/", **options: Any) -> httpx.Response:
        """A request to the Worker by its Host, as not every resolver knows names under .localhost."""
        headers = {"host": self.url.removeprefix("http://")}
        return ask(method, self.cloud.edge_url + path, headers=headers, **options)

    def _api(self, method: str, path: str, **options: Any) -> None:
        tokens = self.cloud.tokens
        script = f"{self.cloud.url}/client/v4/accounts/{tokens.account_id}/workers/scripts/{self.name}"
        answer = ask(method, script + path, token=tokens.cloudflare, **options)
        assert answer.is_success, answer.text


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    with_state = RunningCloud(tmp_path_factory.mktemp("cloud") / "state", free_port(), free_port())
    try:
        yield with_state.start()
    finally:
        assert with_state.stop() == 0


@pytest.fixture(autouse=True)
def no_faults_left(cloud: RunningCloud) -> Iterator[None]:
    yield
    ask("DELETE", f"{cloud.url}/_cloud/faults", token=cloud.tokens.digitalocean)


@pytest.fixture
def workers(cloud: RunningCloud) -> Iterator[Workers]:
    with Workers(f"{cloud.url}/client/v4/", cloud.tokens.account_id, cloud.tokens.cloudflare) as made:
        yield made


@pytest.fixture(scope="module")
def fronted(cloud: RunningCloud) -> Site:
    """A Worker with the front, which tests of a module share."""
    site = Site(cloud, "fronted")
    site.put(with_write_gate(SERVICE), KEY="kept")
    return site


@pytest.fixture(scope="module")
def bare(cloud: RunningCloud) -> Site:
    """A Worker without it."""
    site = Site(cloud, "bare")
    site.put(SERVICE, KEY="kept")
    return site
