"""Release, wipe, undo and restart, with people at work meanwhile. One story."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.live import leaks, load, network
from tests.live.project import Done, Project, assert_quiet, changed_names, changes

pytestmark = pytest.mark.live

LEAST_RATE = 20


def assert_unharmed(done: load.Load) -> None:
    """No read failed, and no write but those that were told so."""
    assert set(done.reads) == {"200"}, done.summary()
    assert set(done.writes) <= {"201", "held", "register 201", "register held", "401", "403"}, done.summary()
    assert done.rate > LEAST_RATE, done.summary()


def test_a_release_carries_the_data_while_people_read_and_write(project: Project) -> None:
    network.plant(project)
    before = network.holdings(project)
    released = network.running(project)
    project.edit("services/backend/entrypoint.sh", "exec ", "echo released\nexec ")
    with load.running(project.outputs()["apiUrl"], "release") as people:
        done = project.up().well()
    print(people.summary())
    assert changes(done) == {"updated": 8, "replaced": 1, "unchanged": 28}
    assert_unharmed(people)
    outputs = project.outputs()
    assert network.running(project) == outputs["release"]["backend"] != released
    # The old backend goes last, when the API has long left it.
    moved, deleted = (done.output.index(f"{step}") for step in ("api-script updated", "backend-app deleted original"))
    assert moved < deleted
    assert set(people.writes) <= {"201", "held", "register 201"}, people.summary()
    assert people.refusals, "writes were on hold for a moment"
    assert set(people.acknowledged) <= network.titles(project)
    after = network.holdings(project)
    for name in ("keepsakes", "oracles"):
        assert after[name] == before[name]
    assert [each for each in after["posts"] if each["title"] == "planted"] == before["posts"]
    assert network.apps(project) == ["jellyfish-app-g1-r2"]


@pytest.fixture(scope="module")
def planted(project: Project) -> dict[str, Any]:
    """What the backend held before it was wiped."""
    return network.holdings(project)


@pytest.mark.slow
def test_the_plan_of_a_wipe_is_loud_and_changes_nothing(project: Project, planted: dict[str, Any]) -> None:
    """As a pull request that raises the generation and takes a larger machine gets it."""
    before = project.stack_file.read_text(), project.state_file.read_bytes()
    project.edit(project.stack_file.name, 'oracle-net:generation: "1"', 'oracle-net:generation: "2"')
    project.edit(project.stack_file.name, "    createTimeout", "    size: basic-xs\n    createTimeout")
    done = project.oracle("plan", "--markdown", "plan.md", "--refuse-loss")
    project.stack_file.write_text(before[0])
    assert done.status == 3, done.output
    text = (project.root / "plan.md").read_text()
    assert "**THIS LOSES THE BACKEND'S DATA.**" in text
    assert "The generation goes from 1 to 2: a wipe." in text
    assert "it starts EMPTY" in text
    assert f"{len(planted['posts'])} posts" in text
    assert re.search(r"Cost: \$\d+\.\d\d a month becomes \$\d+\.\d\d", text)
    assert "| backend-app | replaced |" in text
    secrets = {"password": project.outputs()["adminPassword"], **project.tokens()}
    assert (
        leaks.leaked(text.encode(), {name: secret for name, secret in secrets.items() if name != "accountId"}) == set()
    )
    assert project.state_file.read_bytes() == before[1]
    assert "nothing changes" in project.oracle("plan", "--refuse-loss").well().output


@pytest.fixture(scope="module")
def unfinished(project: Project) -> dict[str, str]:
    """Changes in the checkouts that nobody has deployed: what each file was before."""
    files = {
        "services/backend/entrypoint.sh": ("exec ", "echo unfinished\nexec "),
        "services/api/src/worker.js": ("/**", "// unfinished\n/**"),
        "services/web/public/index.html": ("</body>", "<!-- unfinished --></body>"),
    }
    before = {name: (project.root / name).read_text() for name in files}
    for name, (old, new) in files.items():
        project.edit(name, old, new)
    return before


def held_to(project: Project, release: dict[str, Any], done: Done) -> None:
    """The release is the same one, and only the backend and what follows it was touched."""
    assert project.outputs()["release"] == release
    assert network.running(project) == release["backend"]
    assert changed_names(done) <= {
        "backend-app",
        "backend-data",
        "backend-generation",
        "backend-ready",
        "api-script",
        "uptime-backend-check",
        "kept-release",
        "default",
    }


def test_a_wipe_leaves_nothing_and_keeps_everything(
    project: Project, planted: dict[str, Any], unfinished: dict[str, str], tmp_path: Path
) -> None:
    [old] = network.apps(project)
    release = project.outputs()["release"]
    with load.running(project.outputs()["apiUrl"], "wipe") as people:
        done = project.oracle("wipe", "--yes").well()
    print(people.summary())
    assert_unharmed(people)
    assert f"backend: a new app takes over from {old}" in done.output
    assert "it starts EMPTY" in done.output
    assert "Not touched: web, universe." in done.output
    held_to(project, release, done)
    assert f"{old} holds " in done.output
    assert "To undo: oracle wipe --undo local" in done.output
    kept = network.backups(project)[0]
    assert kept["id"] in done.output
    assert kept["verified"] is True
    in_backup = network.backed_up_titles(project, kept["id"], tmp_path)
    before = {post["title"] for post in planted["posts"]}
    assert before <= in_backup
    here = network.titles(project)
    assert set(people.acknowledged) <= in_backup | here
    assert not before & here
    assert network.apps(project) == ["jellyfish-app-g2"]
    assert "keepsakes" not in network.holdings(project)


def test_the_undo_brings_everything_back(
    project: Project, planted: dict[str, Any], unfinished: dict[str, str], tmp_path: Path
) -> None:
    release = project.outputs()["release"]
    with load.running(project.outputs()["apiUrl"], "undo") as people:
        done = project.oracle("wipe", "--undo", "--yes").well()
    print(people.summary())
    assert_unharmed(people)
    held_to(project, release, done)
    in_backup = network.backed_up_titles(project, network.backups(project)[0]["id"], tmp_path)
    assert set(people.acknowledged) <= in_backup | network.titles(project)
    after = network.holdings(project)
    for name, records in planted.items():
        assert [each for each in after[name] if each["id"] in {record["id"] for record in records}] == records
    # What is here besides was written by the load: before the wipe reached the old backend, and after the undo.
    assert {post["title"].split("-")[0] for post in after["posts"]} <= {"planted", "release", "wipe", "undo"}
    assert network.generation(project) == 3
    history = project.oracle("history").well().output
    assert "restore" in history
    assert "wipe" in history


@pytest.mark.slow
def test_restart_empties_the_disk_of_the_same_app(project: Project, unfinished: dict[str, str], tmp_path: Path) -> None:
    before = network.titles(project)
    release = project.outputs()["release"]
    address = project.outputs()["backendUrl"]
    with load.running(project.outputs()["apiUrl"], "restart") as people:
        done = project.oracle("wipe", "--restart", "--yes").well()
    print(people.summary())
    assert_unharmed(people)
    assert project.outputs()["backendUrl"] == address
    held_to(project, release, done)
    kept = network.backups(project)[0]["id"]
    assert f"oracle restore {kept} local" in done.output
    in_backup = network.backed_up_titles(project, kept, tmp_path)
    assert before <= in_backup
    assert set(people.acknowledged) <= in_backup | network.titles(project)
    assert not before & network.titles(project)
    for name, text in unfinished.items():
        (project.root / name).write_text(text)
    assert_quiet(project.up())
