"""Manual changes are drift, also after a refused update; the advised command repairs each. Each test can run alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from clients.http import client
from tests.live import network
from tests.live.project import Project, assert_quiet
from tests.live.test_drift import active, cloudflare, drifts
from tests.live.test_empty_disk import status

pytestmark = [pytest.mark.live, pytest.mark.slow]
WEB, UNIVERSE = "oracle-net", "oracle-universe-web"


def app_by_hand(project: Project, change: Callable[[dict[str, Any]], None]) -> None:
    """A change of the app's service past the engine, deployed."""
    app = project.outputs()["backendAppId"]
    spec = project.api("GET", f"/v2/apps/{app}")["app"]["spec"]
    change(spec["services"][0])
    project.api("PUT", f"/v2/apps/{app}", {"spec": spec})
    network.until_settled(project, app)


def variable_added(project: Project) -> None:
    app_by_hand(project, lambda service: service["envs"].append({"key": "DEBUG", "value": "1", "scope": "RUN_TIME"}))


def variable_removed(project: Project) -> None:
    def change(service: dict[str, Any]) -> None:
        service["envs"] = [each for each in service["envs"] if each["key"] != "BACKEND"]

    app_by_hand(project, change)


def size(project: Project) -> None:
    app_by_hand(project, lambda service: service.update(instance_size_slug="basic-xs"))


def pinned(project: Project) -> None:
    app = project.outputs()["backendAppId"]
    first = project.api("GET", f"/v2/apps/{app}")["app"]["active_deployment"]["id"]
    project.api("POST", f"/v2/apps/{app}/restart", {})
    network.until_settled(project, app)
    project.api("POST", f"/v2/apps/{app}/rollback", {"deployment_id": first})
    network.until_settled(project, app)


@pytest.mark.parametrize(
    "change, said",
    [
        (variable_added, "the variable DEBUG was added"),
        (variable_removed, "the variable BACKEND is missing"),
        (size, "instance_size_slug is basic-xs, not basic-xxs"),
        (pinned, "it is pinned to that deployment"),
    ],
    ids=["added", "removed", "size", "pinned"],
)
def test_an_app_changed_by_hand_stays_drift_until_it_is_replaced(
    project: Project, change: Callable[[Project], None], said: str
) -> None:
    change(project)
    if change is not pinned:  # which looks like the declared release
        assert "was changed or rolled back by hand" in " ".join(project.up().failed().output.split())
        plan = " ".join(project.oracle("plan", "local").well().output.split())
        assert "the update would be REFUSED" in plan
        assert "oracle drift local --repair" in plan
        assert "the data stays" not in plan
    [found] = status(project)["findings"]
    assert said in found["what"]
    assert found["next"] == "oracle drift local --repair"
    [drift] = drifts(project)
    assert (drift["what"], drift["next"]) == (found["what"], found["next"])
    ends(project, found["next"])


def ends(project: Project, command: str) -> None:
    """The command, typed, ends every finding, and the engine has nothing left to do."""
    project.oracle(*command.split()[1:]).well()
    assert status(project)["findings"] == []
    assert drifts(project) == []
    assert_quiet(project.up())


def test_a_worker_uploaded_by_hand_stays_drift_after_a_refresh(project: Project) -> None:
    metadata = {"main_module": "w.js", "compatibility_date": "2025-01-01", "bindings": []}
    module = b'export default { fetch: () => new Response("by hand") };'
    files = {
        "metadata": (None, json.dumps(metadata), "application/json"),
        "w.js": ("w.js", module, "application/javascript+module"),
    }
    before = active(project, WEB)
    cloudflare(project, "PUT", f"/scripts/{WEB}", files=files)
    project.pulumi("refresh", "--yes", "--skip-preview", "--stack", "local").well()
    [found] = status(project)["findings"]
    assert found["about"] == "web"
    assert f" rollback {before} " in found["next"]
    [drift] = drifts(project)
    assert drift["version"] == before
    project.up().well()  # it sees the other code, and uploads what is declared
    assert status(project)["findings"] == []
    assert drifts(project) == []
    assert_quiet(project.up())


def test_a_rolled_back_worker_gets_its_traffic_back(project: Project) -> None:
    first = active(project, UNIVERSE)
    project.edit("services/universe/public/index.html", "<body", '<body data-another="yes"')
    project.up().well()
    assert drifts(project) == []
    shares = {"strategy": "percentage", "versions": [{"version_id": first, "percentage": 100}]}
    cloudflare(project, "POST", f"/scripts/{UNIVERSE}/deployments?force=true", shares)
    project.pulumi("refresh", "--yes", "--skip-preview", "--stack", "local").well()
    [found] = status(project)["findings"]
    assert "was rolled back" in found["what"]
    ends(project, "oracle drift local --repair")


def test_a_disabled_workers_dev_address_is_restored_by_an_update(project: Project) -> None:
    cloudflare(project, "POST", f"/scripts/{WEB}/subdomain", {"enabled": False, "previews_enabled": False})
    [found] = status(project)["findings"]
    assert (found["about"], found["next"]) == ("web", "oracle up local")
    ends(project, found["next"])


def test_a_disabled_uptime_check_is_restored_by_an_update(project: Project) -> None:
    check = next(each for each in project.api("GET", "/v2/uptime/checks")["checks"] if "web" in each["name"])
    project.api("PUT", f"/v2/uptime/checks/{check['id']}", {**check, "enabled": False})
    [found] = status(project)["findings"]
    assert "was switched off" in found["what"]
    assert [each["what"] for each in drifts(project)] == [found["what"]]
    ends(project, found["next"])


def test_a_replaced_container_without_known_records_gets_its_logins_by_an_update(project: Project) -> None:
    app = project.outputs()["backendAppId"]
    project.api("POST", f"/v2/apps/{app}/restart", {})
    network.until_settled(project, app)
    [found] = status(project)["findings"]
    assert (found["level"], found["next"]) == ("degraded", "oracle up local")
    assert [each["what"] for each in drifts(project)] == [found["what"]]
    ends(project, found["next"])


def test_the_site_still_answers(project: Project) -> None:
    with client() as http:
        assert http.get(project.outputs()["webUrl"]).status_code == 200
