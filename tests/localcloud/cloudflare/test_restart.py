"""A restart of the local cloud, the encryption of its secrets, and twenty uploads without a failed request."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.edge_process import EdgeError
from tests.localcloud.cloudflare.load import Load
from tests.localcloud.cloudflare.loop import Loop
from tests.localcloud.cloudflare.service import ESM, Client, Running
from tests.localcloud.cloudflare.upstream import App

SECRET = "planted-secret-2468"
CODE = 'export default { fetch(request, env) { return new Response("VERSION " + env.KEY); } }'


@pytest.fixture
def cloud(loop: Loop, tmp_path: Path, programs: Any) -> Iterator[Any]:
    """start() and stop() a cloud on one state folder, as often as the test wants."""
    clients: list[Client] = []

    def start() -> Client:
        running = Running(tmp_path / "state", programs)
        loop.run(running.start())
        clients.append(Client(running, loop))
        return clients[-1]

    def stop() -> None:
        client = clients.pop()
        client.http.close()
        loop.run(client.running.stop())

    start.stop = stop  # type: ignore[attr-defined]
    yield start
    while clients:
        stop()


def test_workers_and_sites_survive_a_restart(cloud: Any) -> None:
    api = cloud()
    key = [{"type": "secret_text", "name": "KEY", "text": SECRET}]
    api.put("worker", CODE.replace("VERSION", "one"), bindings=key)
    api.put("worker", CODE.replace("VERSION", "two"), bindings=key)
    api.put_site("site", {"/index.html": b"home"}, not_found_handling="single-page-application")
    hosts = [api.enable("worker"), api.enable("site")]
    api.result("PUT", "~/workers/domains", json={"hostname": "www.oraclenet.localhost", "service": "worker"})
    reads = ["~/workers/scripts", "~/workers/domains", "~/workers/scripts/worker/versions", "/zones", "/accounts"]
    before = [api.result("GET", path) for path in reads]
    token, session = api.token, api.upload_assets("site", {"/index.html": b"home"})
    cloud.stop()
    api = cloud()
    assert api.token == token
    assert [api.result("GET", path) for path in reads] == before
    assert [api.get(host).text for host in hosts] == [f"two {SECRET}", "home"]
    assert api.get("www.oraclenet.localhost").text == f"two {SECRET}"
    metadata = {"assets": {"jwt": session}, "compatibility_date": "2025-06-01"}
    api.result("PUT", "~/workers/scripts/site", files={"metadata": (None, json.dumps(metadata))})


@pytest.mark.slow
def test_split_traffic_survives_a_restart(cloud: Any) -> None:
    api = cloud()
    api.put("worker", CODE.replace("VERSION", "one"))
    api.put("worker", CODE.replace("VERSION", "two"))
    host = api.enable("worker")
    versions = [version["id"] for version in api.result("GET", "~/workers/scripts/worker/versions")["items"]]
    shares = [{"version_id": version, "percentage": 50} for version in versions]
    api.result("POST", "~/workers/scripts/worker/deployments", json={"versions": shares})
    cloud.stop()
    api = cloud()
    assert {api.get(host).text[:3] for _ in range(60)} == {"one", "two"}


@pytest.mark.slow
def test_a_worker_that_no_longer_starts_does_not_stop_the_others(cloud: Any, tmp_path: Path) -> None:
    api = cloud()
    api.put("broken", CODE.replace("VERSION", "broken"))
    api.put("fine", CODE.replace("VERSION", "fine"))
    hosts = [api.enable("broken"), api.enable("fine")]
    digest = api.running.cloud.store.fetchone("SELECT document FROM cf_versions WHERE script = 'broken'")["document"]
    tmp_path.joinpath("state/cloudflare/modules", json.loads(digest)["parts"][0]["digest"]).write_text("nope();")
    cloud.stop()
    api = cloud()
    assert [api.get(host).status_code for host in hosts] == [503, 200]


def test_no_secret_is_in_plain_text_in_the_state_folder(cloud: Any, tmp_path: Path) -> None:
    api = cloud()
    api.put("worker", CODE, bindings=[{"type": "secret_text", "name": "KEY", "text": SECRET}])
    api.result("PUT", "~/workers/scripts/worker/secrets", json={"name": "SECOND", "text": f"{SECRET}-second"})
    assert SECRET in api.get(api.enable("worker")).text
    for _ in range(2):
        found = subprocess.run(["grep", "-rlaF", SECRET, str(tmp_path)], capture_output=True, text=True, check=False)
        assert found.stdout == ""
        cloud.stop()
        api = cloud()
    assert SECRET in api.get("worker.oracle.workers.localhost").text
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_twenty_uploads_lose_no_request(cloud: Any) -> None:
    api = cloud()
    api.put("busy", CODE.replace("VERSION", "v0"))
    host = api.enable("busy")
    with Load(f"http://127.0.0.1:{api.running.cloud.edge.port}/", host) as load:
        for number in range(1, 21):
            api.put("busy", CODE.replace("VERSION", f"v{number}"))
    assert load.failures == []
    assert len(load.answers) > 200
    assert {answer.split()[0] for answer in load.answers} >= {f"v{number}" for number in range(20)}


def test_a_worker_reaches_an_app_by_its_name(cloud: Any, loop: Loop, app: App) -> None:
    api = cloud()
    loop.run(api.running.cloud.edge.route_app("base-ab12c.ondigitalocean.localhost", app.address))
    url = f"http://base-ab12c.ondigitalocean.localhost:{api.running.cloud.edge.port}/api/health"
    code = "export default { fetch: (request, env) => fetch(env.BASE, request) }"
    api.put("front", code, bindings=[{"type": "secret_text", "name": "BASE", "text": url}])
    answer = api.get(api.enable("front"), "/", method="POST", content=b"12345").json()
    assert (answer["app"], answer["path"], answer["method"], answer["bytes"]) == ("one", "/api/health", "POST", 5)


@pytest.mark.slow
def test_unused_files_are_removed_at_a_restart(cloud: Any, tmp_path: Path) -> None:
    api = cloud()
    api.put("gone", CODE.replace("VERSION", "gone"))
    api.put_site("old", {"/index.html": b"old"})
    api.put_site("kept", {"/index.html": b"kept"})
    for name in ("gone", "old"):
        api.result("DELETE", f"~/workers/scripts/{name}")
    folder = tmp_path / "state/cloudflare"
    for file in folder.rglob("*"):
        os.utime(file, (0, 0))
    cloud.stop()
    api = cloud()
    assert {kind: len(list((folder / kind).iterdir())) for kind in ("modules", "assets", "manifests", "sites")} == {
        "modules": 0, "assets": 1, "manifests": 1, "sites": 1,
    }  # fmt: skip
    assert api.get(api.enable("kept")).text == "kept"


def test_an_upload_while_the_edge_stops_answers_503_and_can_be_retried(
    cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = cloud()

    async def gone(*_: object, **__: object) -> None:
        raise EdgeError("The edge stopped while it was working.")

    with monkeypatch.context() as patch:
        patch.setattr(api.running.cloud.edge, "load_worker", gone)
        form = [("metadata", (None, '{"main_module": "w.js"}')), ("w.js", ("w.js", CODE, ESM))]
        answer = api("PUT", "~/workers/scripts/later", files=form)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "x-should-retry" not in answer.headers
    api.put("later", CODE)
