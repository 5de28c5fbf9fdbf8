"""Failed updates and manual changes, repaired by the next `oracle up`. Each test can run alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.http import client, httpx
from tests.live.project import Project, assert_quiet, changed_names, planned_names
from tests.support.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]

SUPERUSERS = "/api/collections/_superusers"


def get(url: str) -> httpx.Response:
    with client() as http:
        return http.get(url)


def running(project: Project) -> str:
    """The release that answers at the backend's address, as the API sees it."""
    return str(get(f"{project.outputs()['apiUrl']}/api/health").json()["backend"]["version"])


def declared(project: Project) -> str:
    return str(project.outputs()["release"]["backend"])


def can_log_in(project: Project) -> bool:
    outputs = project.outputs()
    body = {"identity": outputs["adminEmail"], "password": outputs["adminPassword"]}
    with client() as http:
        return http.post(f"{outputs['backendUrl']}{SUPERUSERS}/auth-with-password", json=body).status_code == 200


def api_has_its_admin(project: Project) -> bool:
    return bool(get(f"{project.outputs()['apiUrl']}/api/admin/check").json()["admin"])


def change_backend(project: Project) -> None:
    project.edit("services/backend/entrypoint.sh", "exec ", "echo changed\nexec ")


def test_a_failed_deployment_shows_its_log_and_the_next_up_repairs_it(project: Project) -> None:
    """Also after three failures of three kinds: the API refuses the app, its build fails, its health check fails."""
    before = running(project)
    change_backend(project)
    project.fault(method="POST", path="/v2/apps", status=422, count=1)
    project.up().failed()
    assert running(project) == before
    project.fault(app="*", step="build", count=1, message="planted failure of the build")
    done = project.up().failed()
    assert "planted failure of the build" in done.output
    assert "the one before it still serves" in done.output
    assert running(project) == before
    project.fault(app="*", step="health", count=1, message="planted failure of the check")
    assert "planted failure of the check" in project.up().failed().output
    assert running(project) == before
    project.up().well()
    assert running(project) == declared(project) != before
    assert_quiet(project.up())


def test_a_failed_bootstrap_stops_the_update_and_the_next_up_completes_it(project: Project) -> None:
    api_before = get(f"{project.outputs()['apiUrl']}/api/version").json()["version"]
    remove_admin(project, "operator@oracle-net.invalid")
    project.edit("services/api/src/worker.js", "export default", "// changed\nexport default")
    project.edit(
        "Pulumi.local.yaml", "    createTimeout", "    console: ./no-such-program superuser upsert\n    createTimeout"
    )
    done = project.up().failed()
    assert "The backend is not ready: `./no-such-program superuser upsert` ended with status 127" in done.output
    assert get(f"{project.outputs()['apiUrl']}/api/version").json()["version"] == api_before
    project.edit("Pulumi.local.yaml", "    console: ./no-such-program superuser upsert\n", "")
    project.up().well()
    assert can_log_in(project)
    assert get(f"{project.outputs()['apiUrl']}/api/version").json()["version"] != api_before


def remove_admin(project: Project, *others: str) -> None:
    """As somebody in PocketBase's dashboard would; another superuser stays, since the last one cannot be deleted.

    `others` go too: without the operator the admin can be made anew in the backend's console only.
    """
    outputs = project.outputs()
    with client() as http:
        body = {"identity": outputs["adminEmail"], "password": outputs["adminPassword"]}
        session = http.post(f"{outputs['backendUrl']}{SUPERUSERS}/auth-with-password", json=body).json()
        headers = {"Authorization": session["token"]}
        other = {"email": "other@example.org", "password": "another-password", "passwordConfirm": "another-password"}
        assert http.post(f"{outputs['backendUrl']}{SUPERUSERS}/records", json=other, headers=headers).status_code == 200
        records = f"{outputs['backendUrl']}{SUPERUSERS}/records"
        known = {each["email"]: each["id"] for each in http.get(records, headers=headers).json()["items"]}
        for email in (*others, outputs["adminEmail"]):
            assert http.delete(f"{records}/{known[email]}", headers=headers).status_code == 204


def test_an_admin_deleted_by_hand_is_restored(project: Project) -> None:
    restart(project)
    assert can_log_in(project)
    remove_admin(project)
    assert not can_log_in(project)
    preview = project.pulumi("preview", "--stack", "local").well()
    assert planned_names(preview) == {"backend-ready"}
    assert changed_names(project.up().well()) == {"backend-ready"}
    assert can_log_in(project)
    assert api_has_its_admin(project)


def restart(project: Project) -> None:
    """As the platform does by itself: another container, with an empty disk."""
    app = project.outputs()["backendAppId"]
    deployment = project.api("POST", f"/v2/apps/{app}/restart", {})["deployment"]["id"]
    until(lambda: deployed(project, app, deployment), "the restarted container serves")


def test_a_chosen_password_is_set_in_pocketbase_and_in_the_worker(project: Project) -> None:
    project.pulumi(
        "config", "set", "--secret", "oracle-net:adminPassword", "chosen-password-1", "--stack", "local"
    ).well()
    project.up().well()
    assert project.outputs()["adminPassword"] == "chosen-password-1"
    assert can_log_in(project)
    assert api_has_its_admin(project)
    # A container replaced by the platform starts with the password that the app was made with.
    restart(project)
    assert not can_log_in(project)
    project.up().well()
    assert can_log_in(project)
    assert api_has_its_admin(project)


def test_a_worker_deleted_by_hand_is_created_again(project: Project) -> None:
    account, tokens = project.tokens()["accountId"], project.tokens()
    with client(headers={"Authorization": f"Bearer {tokens['cloudflare']}"}) as http:
        url = f"{project.endpoint}/client/v4/accounts/{account}/workers/scripts/oracle-net"
        assert http.delete(url).status_code == 200
    assert get(project.outputs()["webUrl"]).status_code == 404
    project.up().well()
    assert get(project.outputs()["webUrl"]).status_code == 200


def test_a_failed_first_deployment_is_repaired_by_the_next_up(tmp_path: Path) -> None:
    project = Project.copied(tmp_path)
    try:
        project.oracle("cloud", "start").well()
        project.fault(app="jellyfish-app", step="build", count=1, message="planted failure")
        done = project.oracle("up").failed()
        assert "planted failure" in done.output
        project.oracle("up").well()
        assert api_has_its_admin(project)
        assert_quiet(project.up())
    finally:
        project.stop()


def deployed(project: Project, app: str, deployment: str) -> bool:
    return bool(project.api("GET", f"/v2/apps/{app}")["app"]["active_deployment"]["id"] == deployment)
