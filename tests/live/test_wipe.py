"""Wipe, release and undo, with people at work meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live import load, network
from tests.live.project import Project, assert_quiet, changes

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
    assert changes(done) == {"updated": 6, "replaced": 1, "unchanged": 24}
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


def test_a_wipe_leaves_nothing_and_keeps_everything(project: Project, tmp_path: Path) -> None:
    before = network.titles(project)
    old = network.apps(project)
    with load.running(project.outputs()["apiUrl"], "wipe") as people:
        done = project.oracle("wipe", "--yes").well()
    print(people.summary())
    assert_unharmed(people)
    assert f"{old[0]} holds " in done.output
    assert "To undo: oracle wipe --undo local" in done.output
    kept = network.backups(project)[0]
    assert kept["id"] in done.output
    assert kept["verified"] is True
    in_backup = network.backed_up_titles(project, kept["id"], tmp_path)
    assert before <= in_backup
    here = network.titles(project)
    assert set(people.acknowledged) <= in_backup | here
    assert not before & here
    assert network.apps(project) == ["jellyfish-app-g2"]
    assert "keepsakes" not in network.holdings(project)
    assert_quiet(project.up())


def test_the_undo_brings_everything_back(project: Project, tmp_path: Path) -> None:
    network.plant(project)
    before = network.holdings(project)
    project.oracle("wipe", "--yes").well()
    assert network.holdings(project)["posts"] == []
    with load.running(project.outputs()["apiUrl"], "undo") as people:
        project.oracle("wipe", "--undo", "--yes").well()
    print(people.summary())
    assert_unharmed(people)
    in_backup = network.backed_up_titles(project, network.backups(project)[0]["id"], tmp_path)
    assert set(people.acknowledged) <= in_backup | network.titles(project)
    after = network.holdings(project)
    new = {*people.acknowledged}
    after["posts"] = [each for each in after["posts"] if each["title"] not in new]
    after["humans"] = [each for each in after["humans"] if each["name"] != "load" or each in before["humans"]]
    assert after == before
    assert network.generation(project) == 4
    history = project.oracle("history").well().output
    assert "restore" in history
    assert "wipe" in history
    assert_quiet(project.up())


def test_restart_empties_the_disk_of_the_same_app(project: Project, tmp_path: Path) -> None:
    before = network.titles(project)
    address = project.outputs()["backendUrl"]
    with load.running(project.outputs()["apiUrl"], "restart") as people:
        project.oracle("wipe", "--restart", "--yes").well()
    print(people.summary())
    assert_unharmed(people)
    assert project.outputs()["backendUrl"] == address
    in_backup = network.backed_up_titles(project, network.backups(project)[0]["id"], tmp_path)
    assert before <= in_backup
    assert set(people.acknowledged) <= in_backup | network.titles(project)
    assert not before & network.titles(project)
    assert_quiet(project.up())
    project.oracle("wipe", "--undo", "--yes").well()
    assert before <= network.titles(project)
