"""An app whose disk is emptied by the platform: alarm, refusals and repairs. One story: the tests run in order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.live import network
from tests.live.project import Project, assert_quiet
from tests.live.test_healing import restart

pytestmark = [pytest.mark.live, pytest.mark.slow]


def status(project: Project) -> dict[str, Any]:
    """What is found; the exit status agrees."""
    done = project.oracle("status", "--json")
    found = dict(json.loads(done.output))
    assert done.status == {"healthy": 0, "degraded": 1, "down": 2}[found["level"]]
    return found


def alarm(project: Project) -> str:
    """The command that the only finding names; drift names the same."""
    [found] = status(project)["findings"]
    assert (found["about"], found["level"]) == ("backend", "down")
    assert found["what"].startswith("jellyfish-app")
    drifts = json.loads(project.oracle("drift", "--json").output)["drifts"]
    assert [(each["about"], each["next"]) for each in drifts] == [("backend", found["next"])]
    return str(found["next"])


def backed_up(project: Project, *titles: str) -> str:
    """The id of a backup that has these posts."""
    for title in titles:
        network.say(project, title)
    project.oracle("backup", "local").well()
    return str(network.backups(project)[0]["id"])


def apps_and_operators(project: Project) -> tuple[list[str], int]:
    """What an update must not have touched: the apps, and the number of the backend's superusers."""
    listed = network.admin(project, "GET", "/api/collections/_superusers/records")
    return network.apps(project), int(listed["totalItems"])


def test_records_deleted_by_users_cause_no_alarm(project: Project) -> None:
    backed_up(project, "to be deleted")
    for post in network.admin(project, "GET", "/api/collections/posts/records")["items"]:
        network.admin(project, "DELETE", f"/api/collections/posts/records/{post['id']}")
    assert status(project)["findings"] == []


def test_an_empty_disk_is_down_and_updates_are_refused(project: Project) -> None:
    backup = backed_up(project, "one", "two")
    app = project.outputs()["backendAppId"]
    first = project.api("GET", f"/v2/apps/{app}")["app"]["active_deployment"]["id"]
    restart(project)
    assert alarm(project) == f"oracle restore {backup} local"
    before = apps_and_operators(project)
    assert before[1] == 1  # the image's own admin
    project.edit("services/backend/entrypoint.sh", "exec ", "echo another release\nexec ")
    backups = len(network.backups(project))
    for refused in (
        project.up(),
        project.oracle("plan", "local"),
        project.oracle("backup", "local"),
        project.oracle("drift", "local", "--repair"),
    ):
        assert f"oracle restore {backup} local" in " ".join(refused.failed().output.split())
    assert apps_and_operators(project) == before
    assert len(network.backups(project)) == backups
    # Also when somebody rolls the app back, which pins it to a deployment whose disk is empty too.
    project.api("POST", f"/v2/apps/{app}/rollback", {"deployment_id": first})
    network.until_settled(project, app)
    assert alarm(project) == f"oracle restore {backup} local"


def test_the_advised_restore_ends_the_alarm(project: Project) -> None:
    command = alarm(project).split()[1:]
    said = project.oracle(*command, "--yes").well().output
    assert "is of the new disk" in " ".join(said.split())
    assert {"one", "two"} <= network.titles(project)
    assert status(project)["findings"] == []
    project.up().well()  # the release that was refused
    assert {"one", "two"} <= network.titles(project)


def test_a_wipe_ends_the_alarm_also_after_a_password_rotation(project: Project) -> None:
    """The image's admin has the first password of the app, so the program cannot log in."""
    backed_up(project, "three")
    project.oracle("rotate", "admin", "local").well()
    restart(project)
    assert alarm(project).startswith("oracle restore ")
    project.oracle("wipe", "local", "--yes").well()
    assert network.titles(project) == set()
    assert status(project)["findings"] == []
    assert_quiet(project.up())
