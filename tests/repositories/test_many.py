"""Many repositories with every kind of failure: each has the same result as alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.repositories.lab import Lab, git, snapshot
from tests.repositories.test_commit_all import dirty

STATES = ("clean", "dirty", "unpushed", "behind", "diverged", "detached", "hook", "refused", "secret", "gone")


def make(lab: Lab, name: str, state: str) -> None:
    if state == "gone":
        lab.enlist(name)
        return
    checkout = lab.repository(name)
    if state in {"dirty", "diverged", "hook", "refused", "detached"}:
        dirty(checkout)
    if state in {"behind", "diverged"}:
        lab.pushed_by_somebody(name)
    if state == "unpushed":
        git(checkout, "commit", "-q", "--allow-empty", "-m", "By hand")
    if state == "detached":
        git(checkout, "checkout", "-q", "--detach")
    if state == "hook":
        lab.hook(name, "pre-commit", "exit 1")
    if state == "refused":
        lab.hook(name, "update", "exit 1", remote=True)
    if state == "secret":
        (checkout / ".envrc").write_text("export A=1\n")


@pytest.mark.parametrize("count", [10, pytest.param(50, marks=pytest.mark.slow)])
def test_each_repository_gets_its_own_row_and_result(lab: Lab, count: int) -> None:
    states = {f"repo-{number:02}": STATES[number % len(STATES)] for number in range(count)}
    for name, state in states.items():
        make(lab, name, state)
    checkouts = {name: lab.folder / name for name, state in states.items() if state != "gone"}
    before = {name: snapshot(checkout) for name, checkout in checkouts.items()}
    tips = {name: lab.tip(name) for name in checkouts}
    done = lab.run(message="Together", seconds=300)
    assert done.status == (1 if count > 4 else 0)
    assert "Traceback" not in done.errors
    rows = [line.split()[0] for line in done.output.split("\n\n")[1].splitlines()[1:]]
    assert rows[: len(states)] == list(states), "the order is the list's"
    for name, state in states.items():
        row = done.row(name)
        assert ("stopped: " in row) == (state not in {"clean", "dirty", "unpushed", "behind"}), row
        if state in {"dirty", "unpushed"}:
            assert lab.tip(name) == git(checkouts[name], "rev-parse", "HEAD")
            assert git(checkouts[name], "status", "--porcelain") == ""
        elif state != "gone":
            assert snapshot(checkouts[name]) == before[name], name
            assert lab.tip(name) == tips[name], name


def test_the_message_is_asked_for_on_a_terminal(lab: Lab) -> None:
    """A real pseudo-terminal, eighty columns wide."""
    checkout = lab.repository("api")
    dirty(checkout)
    script = (
        "import os, pty, sys\n"
        "def read(fd):\n"
        "    data = os.read(fd, 4096)\n"
        "    if b'Ctrl-C ends' in data: os.write(fd, b'Asked and answered\\n')\n"
        "    return data\n"
        f"sys.exit(os.waitstatus_to_exitcode(pty.spawn({lab.command([], None, False)!r}, read)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(lab.remote("api"), "log", "-1", "--format=%s", "main") == "Asked and answered"
    plain = lab.run()
    assert "\x1b" not in plain.output
