"""Killed in the middle: the next `make up` converges."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from httpclient import client
from tests.live.project import Project, assert_quiet
from tests.support.waiting import until

pytestmark = pytest.mark.live


def cloud_process(project: Project) -> int:
    with client() as http:
        return int(http.get(f"{project.endpoint}/_cloud/health").json()["pid"])


def requested(project: Project, method: str, prefix: str) -> bool:
    listed = project.api("GET", "/_cloud/requests")["requests"]
    return any(each["method"] == method and each["path"].startswith(prefix) for each in listed)


def kill_tree(pid: int) -> None:
    """kill -9 of a process and of all that it started, as a crashed laptop would."""
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in tree:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(tree, timeout=10)


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose local cloud runs, with nothing deployed on it."""
    project = Project.copied(tmp_path_factory.mktemp("killed"))
    project.oracle("cloud", "start").well()
    return project


def test_the_local_cloud_killed_in_the_middle_of_an_up(empty: Project) -> None:
    try:
        running = empty.start_oracle("up")
        until(lambda: requested(empty, "POST", "/v2/apps"), "the app is being made", seconds=120)
        os.kill(cloud_process(empty), signal.SIGKILL)
        running.communicate(timeout=200)
        assert running.returncode != 0
        empty.oracle("up").well()
        assert_quiet(empty.oracle("up"))
        assert len(empty.api("GET", "/v2/apps")["apps"]) == 1
    finally:
        empty.stop()


@pytest.mark.slow
def test_the_command_and_the_engine_killed_in_the_middle_of_an_up(empty: Project) -> None:
    try:
        running = empty.start_oracle("up")
        until(lambda: requested(empty, "POST", "/v2/apps"), "the app is being made", seconds=120)
        kill_tree(running.pid)
        running.communicate(timeout=30)
        done = empty.oracle("up").well()
        assert "took the lock over from process" in done.output
        assert "took over" in done.output
        assert_quiet(empty.oracle("up"))
        assert len(empty.api("GET", "/v2/apps")["apps"]) == 1
        checks = [check["name"] for check in empty.api("GET", "/v2/uptime/checks")["checks"]]
        owner = "organization/oracle-net/local"
        assert sorted(checks) == [f"{owner} {each}" for each in ("api", "backend", "universe", "web")]
    finally:
        empty.stop()
