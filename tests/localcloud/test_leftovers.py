"""Process groups of a killed run are ended at the next start; other processes are left alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from localcloud.leftovers import Leftovers
from tests.support.waiting import until

Start = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """start(script) runs a shell that leads a group of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def run(script: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sh", "-c", script], start_new_session=True))
        return started[-1]

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def members(leader: int) -> list[int]:
    """Process ids of a group; those that have ended do not count."""
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            if os.getpgid(process.pid) == leader and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except ProcessLookupError:
            continue
    return found


def test_a_group_is_ended_also_when_its_leader_has_ended(tmp_path: Path, start: Start) -> None:
    leader = start("sleep 1000 & sleep 1000 & read line; exit")
    until(lambda: len(members(leader.pid)) >= 2, "the group")
    Leftovers(tmp_path / "children.json").add(leader.pid)
    leader.kill()
    leader.wait()
    assert members(leader.pid)
    assert Leftovers(tmp_path / "children.json").reap() >= 1
    assert not members(leader.pid)
    assert not (tmp_path / "children.json").exists()


def test_a_group_that_was_removed_is_left_alone(tmp_path: Path, start: Start) -> None:
    leader = start("sleep 1000")
    own = Leftovers(tmp_path / "children.json")
    own.add(leader.pid)
    own.remove(leader.pid)
    assert own.reap() == 0
    assert leader.poll() is None


def test_a_process_with_a_reused_id_is_left_alone(tmp_path: Path, start: Start) -> None:
    stranger = start("sleep 1000")
    (tmp_path / "children.json").write_text(json.dumps([[stranger.pid, 12345.0]]))
    assert Leftovers(tmp_path / "children.json").reap() == 0
    assert stranger.poll() is None


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_a_damaged_file_counts_as_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "children.json").write_text(text)
    assert Leftovers(tmp_path / "children.json").reap() == 0
