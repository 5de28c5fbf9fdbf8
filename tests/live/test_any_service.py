"""Services without the routes of the reference services can be operated too. One story: the tests run in order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from clients.http import client
from programs import git
from tests.live import network
from tests.live.project import Project, assert_quiet

pytestmark = [pytest.mark.live, pytest.mark.slow]

SOURCE = Path(__file__).with_name("plain_api") / "worker.js"
# Each build differs from the one before, as those that write the date into what they make.
BUILD = "mkdir -p dist && { cat src/worker.js; date +'// %s%N'; } > dist/worker.js"
DECLARED = f"      path: services/plain_api\n      build: {json.dumps(BUILD)}\n      entry: dist/worker.js\n"
REFERENCE = (
    "      path: services/api\n      entry: src/worker.js\n",
    "      health:\n        path: /api/health\n        status: 200\n",
)


@pytest.fixture(scope="module")
def project(brought_up: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose api is another program, and whose backend tells nothing of its version. Nothing else differs."""
    made = brought_up.copy(tmp_path_factory.mktemp("copy") / "project")
    checkout = made.root / "services/plain_api"
    (checkout / "src").mkdir(parents=True)
    shutil.copyfile(SOURCE, checkout / "src/worker.js")
    (checkout / ".gitignore").write_text("dist\n")
    assert git.git(checkout, "init", "-q").status == 0
    source, health = REFERENCE
    made.edit(made.stack_file.name, source, DECLARED)
    made.edit(made.stack_file.name, health, "")
    (made.root / "services/backend/pb_hooks/version.pb.js").unlink()
    try:
        yield made
    finally:
        made.stop()


def assert_healthy(project: Project) -> dict[str, dict[str, Any]]:
    """The services' rows by name: all healthy, each with the release that the receipt names."""
    found = json.loads(project.oracle("status", "--stack", project.stack, "--json").well().output)
    assert (found["level"], found["findings"]) == ("healthy", [])
    for each in found["services"]:
        assert each["version"] == each["declared"]
    return {each["name"]: each for each in found["services"]}


def posts(project: Project) -> list[str]:
    """The titles of all posts, asked over the api's WebSocket."""
    url = project.outputs()["apiUrl"]
    there = ("127.0.0.1", urlsplit(url).port or 80)
    with connect(url.replace("http://", "ws://") + "/ws", address=there, proxy=None) as socket:
        socket.send(json.dumps({"id": 1, "job": "posts"}))
        return [each["title"] for each in json.loads(socket.recv(20))["result"]["items"]]


def write(project: Project, title: str) -> None:
    """A post, written at the backend: the api takes none."""
    body = {"name": "Ada", "email": "ada@example.org", "password": "ada-password", "passwordConfirm": "ada-password"}
    human = network.admin(project, "POST", "/api/collections/humans/records", body)
    network.admin(
        project, "POST", "/api/collections/posts/records", {"title": title, "body": ".", "author": human["id"]}
    )


def test_up_succeeds_and_the_second_up_changes_nothing(project: Project) -> None:
    done = project.oracle("up").well()
    assert "Built: api" in done.output
    assert "does not answer" not in done.output
    done = project.oracle("up")
    assert "Not built again: api" in done.output
    assert_quiet(done)
    rows = assert_healthy(project)
    assert (rows["api"]["answer"], rows["api"]["says"]) == ("404", None)


def test_the_declared_health_path_is_requested_and_its_answer_shown(project: Project) -> None:
    project.edit(
        project.stack_file.name,
        "      entry: dist/worker.js\n",
        "      entry: dist/worker.js\n      health: {path: /ping}\n",
    )
    project.oracle("up").well()  # the uptime check asks for it too
    rows = assert_healthy(project)
    assert (rows["api"]["answer"], rows["api"]["says"]) == ("200", "version 1.4.2, release spring")
    targets = {each["target"] for each in project.api("GET", "/v2/uptime/checks")["checks"]}
    assert f"{project.outputs()['apiUrl']}/ping" in targets


def test_the_api_can_be_deployed_alone(project: Project) -> None:
    project.edit("services/plain_api/src/worker.js", "1.4.2", "1.4.3")
    document = json.loads(project.oracle("deploy", "api", "--yes", "--json").well().output)
    assert {each["service"]: each["answer"] for each in document["services"]}["api"] == "ok"
    assert assert_healthy(project)["api"]["says"] == "version 1.4.3, release spring"


def test_a_release_and_a_wipe_work(project: Project) -> None:
    write(project, "Before")
    project.edit("services/backend/entrypoint.sh", "exec ", "echo released\nexec ")
    for command, held in (
        (("deploy", "backend", "--yes"), ["Before"]),
        (("wipe", "--yes"), []),
    ):
        project.oracle(*command).well()
        assert posts(project) == held
        assert_healthy(project)


def test_a_rollback_and_a_promotion_to_another_stack_work(project: Project) -> None:
    project.oracle("rollback", "local", "--yes").well()
    assert_healthy(project)
    other = project.on("next")
    project.oracle("up", "next").well()
    other.edit(other.stack_file.name, REFERENCE[1], "")
    project.oracle("promote", "local", "next", "--yes").well()
    rows = assert_healthy(other)
    assert rows["api"]["version"] == assert_healthy(project)["api"]["version"]
    assert posts(other) == []
    project.pulumi("config", "rm", "oracle-net:receipt", "--stack", "local").well()


def test_a_server_error_of_a_service_is_reported(project: Project) -> None:
    project.edit(
        "services/plain_api/src/worker.js",
        '    if (pathname === "/ping") return',
        '    if (pathname === "/ping") throw',
    )
    done = project.oracle("deploy", "api", "--yes").failed()
    assert "api is deployed and does not answer correctly. Fix: run `oracle status local`" in done.output
    with client() as http:
        assert http.get(f"{project.outputs()['apiUrl']}/ping").status_code == 500
