"""A kill in the middle of an update; the next `oracle up` completes it. Each test can run alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from clients.http import client
from tests.live import network
from tests.live.project import Project, assert_quiet
from tests.live.story import change_backend
from tests.support.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]


def cloud_process(project: Project) -> int:
    with client() as http:
        return int(http.get(f"{project.endpoint}/_cloud/health").json()["pid"])


def kill_tree(pid: int) -> None:
    """kill -9 of a process and of all that it started, as a crashed laptop would."""
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in tree:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(tree, timeout=10)


def has_begun(project: Project) -> bool:
    """Whether an app is being made."""
    listed = project.api("GET", "/_cloud/requests")["requests"]
    return any((each["method"], each["path"]) == ("POST", "/v2/apps") for each in listed)


def go_on_after_the_cloud_was_killed(project: Project) -> None:
    """Kill the local cloud while `up` makes an app: the next `up` converges, and the one after has nothing to do."""
    running = project.start_oracle("up")
    until(lambda: has_begun(project), "the app is being made", seconds=120)
    os.kill(cloud_process(project), signal.SIGKILL)
    running.communicate(timeout=200)
    assert running.returncode != 0
    project.oracle("up").well()
    assert_quiet(project.oracle("up"))


def test_a_local_cloud_killed_during_a_release_is_repaired_by_the_next_up(project: Project) -> None:
    change_backend(project)
    go_on_after_the_cloud_was_killed(project)
    assert network.apps(project) == ["jellyfish-app-g1-r2"]


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Project]:
    """A project whose local cloud runs, with nothing deployed on it."""
    project = Project.copied(tmp_path / "project")
    project.oracle("cloud", "start").well()
    yield project
    project.stop()


def test_a_local_cloud_killed_during_the_first_up_is_repaired_by_the_next(empty: Project) -> None:
    go_on_after_the_cloud_was_killed(empty)
    assert network.apps(empty) == ["jellyfish-app"]


def test_a_killed_command_and_engine_are_repaired_by_the_next_up(empty: Project) -> None:
    running = empty.start_oracle("up")
    until(lambda: has_begun(empty), "the app is being made", seconds=120)
    kill_tree(running.pid)
    running.communicate(timeout=30)
    done = empty.oracle("up").well()
    assert "removed the lock of process" in done.output
    assert "imported" in done.output
    assert_quiet(empty.oracle("up"))
    assert network.apps(empty) == ["jellyfish-app"]
    checks = [check["name"] for check in empty.api("GET", "/v2/uptime/checks")["checks"]]
    owner = "organization/oracle-net/local"
    assert sorted(checks) == [f"{owner} {each}" for each in ("api", "backend", "universe", "web")]
