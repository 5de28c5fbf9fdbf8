"""Manual changes are drift, also after a refused update or a refresh; the advised command repairs each.

Each test can run alone.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.http import client
from tests.live import network
from tests.live.project import Project, assert_quiet
from tests.live.test_empty_disk import status

pytestmark = [pytest.mark.live, pytest.mark.slow]
API, WEB, UNIVERSE = "oracle-universe-api", "oracle-net", "oracle-universe-web"


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


def found(project: Project) -> dict[str, Any]:
    """The only finding of drift; status reports it with the same words and the same advice."""
    [drift] = drifts(project)
    [finding] = status(project)["findings"]
    assert (finding["about"], finding["what"], finding["next"]) == (drift["about"], drift["what"], drift["next"])
    return drift


def ends(project: Project, command: str) -> None:
    """The command, typed, ends every finding."""
    project.oracle(*command.split()[1:]).well()
    assert status(project)["findings"] == []
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
    [drift] = drifts(project)
    assert (drift["about"], drift["remedy"], drift["version"]) == ("api", "version", before)
    assert "was changed outside Pulumi" in drift["what"]
    assert "No differences remain." in project.oracle("drift", "--repair").well().output
    assert drifts(project) == []
    assert active(project, API) == before


def test_a_rollback_of_the_active_version_is_found_and_repaired(project: Project) -> None:
    first = active(project, UNIVERSE)
    project.edit("services/universe/public/index.html", "<body", '<body data-another="yes"')
    project.up().well()
    second = active(project, UNIVERSE)
    shares = {"strategy": "percentage", "versions": [{"version_id": first, "percentage": 100}]}
    cloudflare(project, "POST", f"/scripts/{UNIVERSE}/deployments?force=true", shares)
    for look in (drifts, drifts_after_refresh):
        [drift] = look(project)
        assert "was rolled back" in drift["what"]
        assert drift["version"] == second
    ends(project, "oracle drift local --repair")
    assert active(project, UNIVERSE) == second


def drifts_after_refresh(project: Project) -> list[dict[str, Any]]:
    """What differs once the state has what the clouds have, as after a `pulumi refresh` that somebody typed."""
    project.pulumi("refresh", "--yes", "--skip-preview", "--stack", "local").well()
    return drifts(project)


def test_a_manual_upload_of_a_site_is_found_and_an_update_uploads_what_is_declared(project: Project) -> None:
    before = active(project, WEB)
    metadata = {"main_module": "w.js", "compatibility_date": "2025-01-01", "bindings": []}
    module = b'export default { fetch: () => new Response("by hand") };'
    files = {
        "metadata": (None, json.dumps(metadata), "application/json"),
        "w.js": ("w.js", module, "application/javascript+module"),
    }
    cloudflare(project, "PUT", f"/scripts/{WEB}", files=files)
    for look in (drifts, drifts_after_refresh):
        [drift] = look(project)
        assert (drift["about"], drift["owner"], drift["version"]) == ("web", "by hand", before)
    [finding] = status(project)["findings"]
    assert finding["about"] == "web"
    assert f" rollback {before} " in finding["next"]
    ends(project, "oracle up local")  # it sees the other code
    with client() as http:
        assert http.get(project.outputs()["webUrl"]).text != "by hand"


def test_a_disabled_workers_dev_address_is_repaired_but_not_with_another_release(project: Project) -> None:
    path = f"/scripts/{UNIVERSE}/subdomain"
    cloudflare(project, "POST", path, {"enabled": False, "previews_enabled": False})
    [drift] = drifts(project)
    assert (drift["about"], drift["remedy"]) == ("universe", "update")
    [finding] = status(project)["findings"]
    assert (finding["about"], finding["next"]) == ("universe", "oracle up local")
    page = (project.root / "services/web/public/index.html").read_text()
    project.edit("services/web/public/index.html", "</title>", ", changed</title>")
    refused = project.oracle("drift", "--repair").failed().output
    assert "another release of web" in " ".join(refused.split())
    assert not cloudflare(project, "GET", path)["enabled"]
    (project.root / "services/web/public/index.html").write_text(page)
    ends(project, "oracle drift local --repair")
    assert cloudflare(project, "GET", path)["enabled"]


def test_a_disabled_uptime_check_is_restored_by_an_update(project: Project) -> None:
    check = next(each for each in project.api("GET", "/v2/uptime/checks")["checks"] if "web" in each["name"])
    project.api("PUT", f"/v2/uptime/checks/{check['id']}", {**check, "enabled": False})
    drift = found(project)
    assert "was switched off" in drift["what"]
    ends(project, drift["next"])


def test_a_replaced_container_without_known_records_gets_its_logins_by_an_update(project: Project) -> None:
    app = project.outputs()["backendAppId"]
    project.api("POST", f"/v2/apps/{app}/restart", {})
    network.until_settled(project, app)
    drift = found(project)
    assert drift["next"] == "oracle up local"
    assert status(project)["level"] == "degraded"
    ends(project, drift["next"])


def test_a_pinned_app_is_replaced(project: Project) -> None:
    app = project.outputs()["backendAppId"]
    first = project.api("GET", f"/v2/apps/{app}")["app"]["active_deployment"]["id"]
    project.api("POST", f"/v2/apps/{app}/restart", {})
    network.until_settled(project, app)
    project.api("POST", f"/v2/apps/{app}/rollback", {"deployment_id": first})
    network.until_settled(project, app)
    drift = found(project)
    assert "it is pinned to that deployment" in drift["what"]
    assert drift["next"] == "oracle drift local --repair"
    ends(project, drift["next"])


def test_an_app_changed_by_hand_is_not_updated_but_replaced_with_its_data(project: Project) -> None:
    """A variable more, a variable less, and a larger machine."""
    app = project.outputs()["backendAppId"]
    spec = project.api("GET", f"/v2/apps/{app}")["app"]["spec"]
    [service] = spec["services"]
    service["envs"] = [each for each in service["envs"] if each["key"] != "BACKEND"]
    service["envs"].append({"key": "DEBUG", "value": "1", "scope": "RUN_TIME"})
    service["instance_size_slug"] = "basic-xs"
    project.api("PUT", f"/v2/apps/{app}", {"spec": spec})
    network.until_settled(project, app)
    network.plant(project)
    refused = " ".join(project.up().failed().output.split())
    assert "was changed or rolled back by hand" in refused
    assert "Fix: run `oracle drift local --repair` to replace the app and migrate its data." in refused
    plan = " ".join(project.oracle("plan", "local").well().output.split())
    assert "the update would be REFUSED" in plan
    assert "oracle drift local --repair" in plan
    assert "the data stays" not in plan
    drift = found(project)
    assert (drift["about"], drift["remedy"], drift["next"]) == ("backend", "replacement", "oracle drift local --repair")
    for said in (
        "the variable DEBUG was added",
        "the variable BACKEND is missing",
        "instance_size_slug is basic-xs, not basic-xxs",
    ):
        assert said in drift["what"]
    ends(project, drift["next"])
    assert "planted" in network.titles(project)


def test_a_failing_cloud_is_reported_as_unknown(project: Project) -> None:
    project.fault(path="/v2/apps", status=500, count=50)
    try:
        done = project.oracle("drift", "--json")
    finally:
        project.api("DELETE", "/_cloud/faults")
    seen = json.loads(done.output)
    assert done.status == 2, seen
    assert seen["unknown"]


def test_after_all_repairs_an_update_changes_nothing(project: Project) -> None:
    assert_quiet(project.up())
