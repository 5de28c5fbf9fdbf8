"""Drift on a live network, of kinds that the providers see and do not see. Each test can run alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.http import client
from tests.live.network import plant, titles
from tests.live.project import Project, assert_quiet
from tests.support.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]
API = "oracle-universe-api"


def cloudflare(project: Project, method: str, path: str, body: Any = None, **options: Any) -> Any:
    """The `result` of a request below the account's Workers."""
    tokens = project.tokens()
    address = f"{project.endpoint}/client/v4/accounts/{tokens['accountId']}/workers{path}"
    with client(timeout=30, headers={"Authorization": f"Bearer {tokens['cloudflare']}"}) as http:
        answer = http.request(method, address, json=body, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def drifts(project: Project) -> list[dict[str, Any]]:
    """What differs; the exit status agrees."""
    done = project.oracle("drift", "--json")
    found = json.loads(done.output)
    assert found["unknown"] == []
    assert done.status == (1 if found["drifts"] else 0)
    return list(found["drifts"])


def repaired(project: Project) -> None:
    """`--repair` puts everything right, and the engine agrees."""
    done = project.oracle("drift", "--repair").well().output
    assert "No differences remain." in done
    assert drifts(project) == []


def active(project: Project, script: str) -> str:
    return str(
        cloudflare(project, "GET", f"/scripts/{script}/deployments")["deployments"][0]["versions"][0]["version_id"]
    )


def test_no_drift_is_found_after_an_update(project: Project) -> None:
    assert drifts(project) == []
    assert "local: no drift." in project.oracle("drift", "local").well().output


def test_a_changed_secret_is_found_although_the_provider_does_not_see_it(project: Project) -> None:
    before = active(project, API)
    cloudflare(
        project, "PUT", f"/scripts/{API}/secrets", {"name": "PB_ADMIN_PASSWORD", "text": "x", "type": "secret_text"}
    )
    assert_quiet(project.pulumi("preview", "--stack", "local"))  # the blind spot
    [found] = drifts(project)
    assert (found["about"], found["remedy"], found["version"]) == ("api", "version", before)
    assert "was changed outside Pulumi" in found["what"]
    repaired(project)
    assert active(project, API) == before


def test_a_rollback_of_the_active_version_is_found(project: Project) -> None:
    first = active(project, API)
    project.edit("services/api/src/worker.js", "export default", "// another release\nexport default")
    project.oracle("deploy", "api", "--yes").well()
    second = active(project, API)
    shares = {"strategy": "percentage", "versions": [{"version_id": first, "percentage": 100}]}
    cloudflare(project, "POST", f"/scripts/{API}/deployments?force=true", shares)
    [found] = drifts(project)
    assert "was rolled back" in found["what"]
    assert found["version"] == second
    repaired(project)
    assert active(project, API) == second


def test_a_manual_upload_of_a_site_is_found(project: Project) -> None:
    before = active(project, "oracle-net")
    metadata = {"main_module": "w.js", "compatibility_date": "2025-01-01", "bindings": []}
    module = b'export default { fetch: () => new Response("by hand") };'
    files = {
        "metadata": (None, json.dumps(metadata), "application/json"),
        "w.js": ("w.js", module, "application/javascript+module"),
    }
    cloudflare(project, "PUT", "/scripts/oracle-net", files=files)
    [found] = drifts(project)
    assert (found["about"], found["owner"], found["version"]) == ("web", "by hand", before)
    repaired(project)
    assert active(project, "oracle-net") == before


def test_a_disabled_workers_dev_address_is_repaired_by_an_update(project: Project) -> None:
    path = "/scripts/oracle-universe-web/subdomain"
    cloudflare(project, "POST", path, {"enabled": False, "previews_enabled": False})
    [found] = drifts(project)
    assert (found["about"], found["remedy"]) == ("universe", "update")
    repaired(project)
    assert cloudflare(project, "GET", path)["enabled"]


def test_a_repair_is_refused_when_it_would_deploy_another_release(project: Project) -> None:
    path = "/scripts/oracle-universe-web/subdomain"
    cloudflare(project, "POST", path, {"enabled": False, "previews_enabled": False})
    page = (project.root / "services/web/public/index.html").read_text()
    project.edit("services/web/public/index.html", "</title>", ", changed</title>")
    refused = project.oracle("drift", "--repair").failed().output
    assert "another release of web" in " ".join(refused.split())
    assert not cloudflare(project, "GET", path)["enabled"]
    (project.root / "services/web/public/index.html").write_text(page)
    repaired(project)


def test_an_app_changed_by_hand_is_replaced_and_its_data_migrated(project: Project) -> None:
    app = next(app for app in project.api("GET", "/v2/apps")["apps"])
    app["spec"]["services"][0]["envs"].append({"key": "DEBUG", "value": "yes", "scope": "RUN_TIME"})
    project.api("PUT", f"/v2/apps/{app['id']}", {"spec": app["spec"]})

    def settled() -> bool:
        found = project.api("GET", f"/v2/apps/{app['id']}")["app"]
        moving = found.get("pending_deployment") or found.get("in_progress_deployment")
        return not moving and "DEBUG" in json.dumps(found["active_deployment"]["spec"])

    until(settled, "the change by hand serves", seconds=60)
    plant(project)
    [found] = drifts(project)
    assert (found["about"], found["remedy"]) == ("backend", "replacement")
    assert "the variable DEBUG was added" in found["what"]
    repaired(project)
    assert "planted" in titles(project)


def test_a_failing_cloud_is_reported_as_unknown(project: Project) -> None:
    project.fault(path="/v2/apps", status=500, count=50)
    try:
        done = project.oracle("drift", "--json")
    finally:
        project.api("DELETE", "/_cloud/faults")
    found = json.loads(done.output)
    assert done.status == 2, found
    assert found["unknown"]
