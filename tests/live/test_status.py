"""`oracle status` names each fault and blames nothing else. Each test can run alone; the last stops the cloud."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cli.engine.workspace import Stack
from cli.status import Status
from cli.status.collect import ALL
from cli.status.snapshot import StatusReader
from clients.http import client
from retry import backoff
from tests.live.databases import backends
from tests.live.leaks import leaked
from tests.live.project import Project

pytestmark = pytest.mark.live
FOR_EVER = 3600.0


@pytest.fixture(scope="module")
def look(project: Project) -> StatusReader:
    """Looks with the state as it was read first: a test that runs the engine makes a new one."""
    return StatusReader(Stack("local", project.root), FOR_EVER)


@pytest.fixture
def trouble(project: Project) -> Iterator[Callable[..., None]]:
    """Makes trouble (localcloud/faults.py), which ends with the test."""
    yield project.fault
    project.api("DELETE", "/_cloud/faults")


def test_a_healthy_network_has_no_findings_and_shows_no_secret(project: Project) -> None:
    shown, told = project.oracle("status"), project.oracle("status", "--json")
    assert (shown.status, told.status) == (0, 0)
    assert "local is healthy" in shown.output
    assert "\x1b" not in shown.output
    found = json.loads(told.output)
    assert found["level"] == "healthy"
    assert found["findings"] == []
    for service in found["services"]:
        assert service["version"] == service["declared"]
        assert service["runs"]
        assert service["milliseconds"] >= 0
        assert all(secret["present"] and secret["since"] for secret in service["secrets"])
    backend, api, *_ = found["services"]
    assert (backend["phase"], backend["usd_per_month"]) == ("ACTIVE", 5.0)
    assert (backend["admin"], api["admin"]) == (True, None)
    assert [secret["name"] for secret in api["secrets"]] == ["PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD", "POCKETBASE_URL"]
    assert not leaked((shown.output + told.output).encode(), {"password": project.outputs()["adminPassword"]})


@pytest.mark.slow
def test_a_killed_backend_is_the_only_cause(project: Project, look: StatusReader) -> None:
    with _killed(project):
        _settled(look, lambda found: found.level == "down")
        found = look.gather()
    _blames(found, "backend", "down", "The backend does not serve: status 503")
    assert _row(found, "api").because == "backend"
    assert [_row(found, name).level for name in ("api", "web", "universe")] == ["degraded", "healthy", "healthy"]
    _settled(look, lambda found: found.level == "degraded")
    _blames(look.gather(), "backend", "degraded", "The container of jellyfish-app was replaced")
    project.oracle("up").well()
    _settled(look, lambda found: found.level == "healthy")


def test_a_hanging_backend_is_reported_after_the_timeout(project: Project, look: StatusReader) -> None:
    processes = list(backends(project.root))  # no shells: those of `oracle status` may be ending there
    assert processes
    try:
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        found = look.gather()
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
    _blames(found, "backend", "down", "The backend does not serve: no answer in 5 s")
    assert found.milliseconds < (ALL + 5) * 1000
    assert _row(found, "api").because == "backend"


def test_a_worker_that_answers_500_is_down(trouble: Callable[..., None], look: StatusReader) -> None:
    trouble(host="oracle-universe-api*", path="*", status=500, count=100)
    found = look.gather()
    _blames(found, "api", "down", "oracle-universe-api does not serve: status 500")
    assert "tail oracle-universe-api" in found.findings[0].next


def test_a_hanging_worker_is_reported_after_the_timeout(trouble: Callable[..., None], look: StatusReader) -> None:
    trouble(host="oracle-net.*", path="*", delay=30, count=100)
    found = look.gather()
    _blames(found, "web", "down", "oracle-net does not serve: no answer in 5 s")
    assert found.milliseconds < (ALL + 5) * 1000


@pytest.mark.parametrize(
    "about, path", [("digitalocean", "/v2/*"), ("cloudflare", "/client/v4/*")], ids=["digitalocean", "cloudflare"]
)
def test_a_failing_cloud_api_is_not_blamed_on_services(
    trouble: Callable[..., None], look: StatusReader, about: str, path: str
) -> None:
    trouble(path=path, status=500, body={"message": "broken"}, count=100)
    found = look.gather()
    _blames(found, about, "degraded", "API fails")
    assert {each.level for each in found.services} == {"healthy"}


@pytest.mark.parametrize("about", ["digitalocean", "cloudflare"])
def test_a_revoked_token_is_named(project: Project, about: str) -> None:
    path = project.root / ".oracle/cloud/tokens.json"
    kept = path.read_text()
    path.write_text(json.dumps({**json.loads(kept), about: "x" * 45}))
    try:
        done = project.oracle("status", "--json")
    finally:
        path.write_text(kept)
    assert done.status == 1
    found = json.loads(done.output)
    assert [each["about"] for each in found["findings"]] == [about]
    assert "refuses the token" in found["findings"][0]["what"]
    assert {each["level"] for each in found["services"]} == {"healthy"}


def test_a_secret_changed_by_hand_is_found_and_the_advice_repairs_it(project: Project, look: StatusReader) -> None:
    secret = {"name": "PB_ADMIN_PASSWORD", "text": "somebody-elses-password", "type": "secret_text"}
    _cloudflare(project, "PUT", "oracle-universe-api/secrets", secret)
    found = look.gather()
    what = "A secret of oracle-universe-api was changed outside Pulumi by local@cloud.localhost"
    _blames(found, "api", "degraded", what)
    version = found.findings[0].next.partition(" rollback ")[2].partition(" ")[0]
    _deploy(project, "oracle-universe-api", version)
    assert look.gather().findings == ()


@pytest.mark.slow
def test_a_deleted_worker_and_a_rolled_back_worker_are_found(project: Project, look: StatusReader) -> None:
    _cloudflare(project, "DELETE", "oracle-net")
    _blames(look.gather(), "web", "down", "oracle-net was deleted")
    project.edit("services/universe/public/index.html", "<body", '<body data-second="yes"')
    assert project.up().status == 0
    after = StatusReader(Stack("local", project.root), FOR_EVER)
    assert after.gather().findings == ()

    versions = _cloudflare(project, "GET", "oracle-universe-web/versions")["items"]
    _deploy(project, "oracle-universe-web", versions[-1]["id"])
    found = after.gather()
    _blames(found, "universe", "degraded", "rolled back by local@cloud.localhost")
    assert _row(found, "universe").pinned
    assert f" rollback {versions[0]['id']} " in found.findings[0].next
    _deploy(project, "oracle-universe-web", versions[0]["id"])
    assert after.gather().findings == ()


@pytest.mark.slow
def test_a_rolled_back_and_pinned_app_is_found(project: Project) -> None:
    look = StatusReader(Stack("local", project.root), FOR_EVER)
    app = project.outputs()["backendAppId"]
    first = project.api("GET", f"/v2/apps/{app}")["app"]["active_deployment"]["id"]
    project.api("POST", f"/v2/apps/{app}/restart", {})
    _active(project, app, "RESTART")
    project.api("POST", f"/v2/apps/{app}/rollback", {"deployment_id": first})
    _active(project, app, "ROLLBACK_APP")
    found = look.gather()
    _blames(found, "backend", "degraded", "pinned")
    assert _row(found, "backend").pinned
    project.api("POST", f"/v2/apps/{app}/rollback/revert")
    _active(project, app, "REVERT_APP_ROLLBACK")
    _blames(look.gather(), "backend", "degraded", "by one with an empty disk")  # of which no records are known
    project.up().well()
    assert StatusReader(Stack("local", project.root)).gather().findings == ()


def test_a_stopped_local_cloud_is_the_only_finding(project: Project) -> None:
    project.oracle("cloud", "stop").well()
    done = project.oracle("status")
    assert done.status == 2
    assert "does not run" in done.output
    assert "next: oracle cloud start" in done.output


def _blames(found: Status, about: str, level: str, what: str) -> None:
    assert [(each.about, each.level) for each in found.findings] == [(about, level)], found.findings
    assert what in found.findings[0].what
    assert found.level == level


def _row(found: Status, name: str) -> Any:
    return next(each for each in found.services if each.name == name)


def _settled(look: StatusReader, wanted: Callable[[Status], bool]) -> None:
    for _ in backoff(60):
        if wanted(look.gather()):
            return
    raise AssertionError(look.gather().findings)


@contextmanager
def _killed(project: Project) -> Iterator[None]:
    """The backend's container ends as often as it is started."""
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.1):
            for process in backends(project.root):
                try:
                    os.kill(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    thread = threading.Thread(target=kill, name="killer", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _cloudflare(project: Project, method: str, path: str, body: Any = None) -> Any:
    """Cloudflare's API, as wrangler and people use it."""
    base, account = project.config["cloudflare:baseUrl"], project.config["oracle-net:accountId"]
    with client(timeout=60, headers={"Authorization": f"Bearer {project.tokens()['cloudflare']}"}) as http:
        response = http.request(method, f"{base}/accounts/{account}/workers/scripts/{path}", json=body)
    assert response.status_code < 400, response.text
    return response.json()["result"]


def _deploy(project: Project, script: str, version: str) -> None:
    """What `wrangler rollback` and `wrangler versions deploy` ask for."""
    shares = {"strategy": "percentage", "versions": [{"version_id": version, "percentage": 100}]}
    _cloudflare(project, "POST", f"{script}/deployments?force=true", shares)


def _active(project: Project, app: str, action: str) -> None:
    """Waits until the deployment that this was asked by serves."""
    for _ in backoff(60):
        newest = project.api("GET", f"/v2/apps/{app}/deployments")["deployments"][0]
        asked = newest["cause_details"]["digitalocean_user_action"]["name"]
        if (newest["phase"], asked) == ("ACTIVE", action):
            return
    raise AssertionError(newest)
