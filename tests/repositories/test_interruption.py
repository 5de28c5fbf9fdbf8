"""Interruptions of the command: Ctrl-C, a closed terminal, kill -9, and two concurrent runs."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from retry import backoff
from tests.repositories.lab import ROOT, Finished, Lab, git, snapshot


def started(lab: Lab) -> subprocess.Popen[str]:
    return subprocess.Popen(
        lab.command([], "Try", False), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for(path: Path) -> None:
    for _ in backoff(60):
        if path.exists():
            return
    raise AssertionError(f"{path} did not appear")


def hanging_hook(lab: Lab, name: str, kind: str, before: str = "true") -> Path:
    """A hook that says that it runs, and then does not end."""
    sign = lab.folder / f"{name}-{kind}"
    lab.hook(name, kind, f"{before}; echo $$ > {sign}.part; mv {sign}.part {sign}; exec sleep 100")
    return sign


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_during_a_hook_changes_nothing(lab: Lab, number: int) -> None:
    bad, good = lab.repository("bad"), lab.repository("good")
    (bad / "new.txt").write_text("x\n")
    sign = hanging_hook(lab, "bad", "pre-commit", "echo changed > README.md; echo made > made.txt")
    (good / "new.txt").write_text("x\n")
    pushed = lab.folder / "pushed"
    lab.hook("good", "post-receive", f"touch {pushed}", remote=True)
    before = snapshot(bad)
    with started(lab) as process:
        wait_for(sign)
        wait_for(pushed)
        for _ in backoff(20):  # until `good` has nothing more to do
            if git(good, "rev-parse", "origin/main") == lab.tip("good"):
                break
        os.kill(process.pid, number)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "stopped: The work was interrupted, and this checkout is unchanged." in Finished(130, output, errors).row(
        "bad"
    )
    assert snapshot(bad) == before
    assert lab.tip("good") == git(good, "rev-parse", "HEAD")
    assert not psutil.pid_exists(int(sign.read_text()))


def test_an_interruption_during_a_push_leaves_the_commit(lab: Lab) -> None:
    """It is unknown then if the remote has it; the next run finds out."""
    checkout = lab.repository("bad")
    (checkout / "new.txt").write_text("x\n")
    sign = hanging_hook(lab, "bad", "pre-push")
    with started(lab) as process:
        wait_for(sign)
        os.kill(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert "The commit stays in the checkout." in output
    assert git(checkout, "status", "--porcelain") == ""
    (checkout / ".git" / "hooks" / "pre-push").unlink()
    assert lab.run().status == 0
    assert lab.tip("bad") == git(checkout, "rev-parse", "HEAD")
    assert git(checkout, "log", "-1", "--format=%s") == "Try"


@pytest.mark.parametrize("kind", ["pre-commit", "commit-msg"])
def test_a_kill_during_a_hook_changes_nothing_and_the_next_run_continues(lab: Lab, kind: str) -> None:
    checkout = lab.repository("bad")
    (checkout / "new.txt").write_text("x\n")
    git(checkout, "add", "-N", "new.txt")
    sign = hanging_hook(lab, "bad", kind)
    before = snapshot(checkout)
    with started(lab) as process:
        wait_for(sign)
        process.kill()
        process.communicate(timeout=60)
    os.kill(int(sign.read_text()), signal.SIGKILL)
    after = snapshot(checkout)
    assert after.pop("loose ends").replace(" commit-all", "").replace("commit-all ", "") == before.pop("loose ends")
    assert after == before
    (checkout / ".git" / "hooks" / kind).unlink()
    assert lab.run().status == 0
    assert not (checkout / ".git" / "commit-all").exists()
    assert git(checkout, "status", "--porcelain") == ""


def test_a_kill_after_the_commit_lets_the_next_run_push_it(lab: Lab) -> None:
    checkout = lab.repository("bad")
    (checkout / "new.txt").write_text("x\n")
    sign = hanging_hook(lab, "bad", "pre-push")
    with started(lab) as process:
        wait_for(sign)
        process.kill()
        process.communicate(timeout=60)
    os.kill(int(sign.read_text()), signal.SIGKILL)
    assert git(checkout, "status", "--porcelain") == ""
    (checkout / ".git" / "hooks" / "pre-push").unlink()
    assert lab.run().status == 0
    assert lab.tip("bad") == git(checkout, "rev-parse", "HEAD")


def test_two_runs_do_not_work_in_one_checkout_at_once(lab: Lab) -> None:
    checkout = lab.repository("bad")
    (checkout / "new.txt").write_text("x\n")
    sign = hanging_hook(lab, "bad", "pre-commit")
    with started(lab) as process:
        wait_for(sign)
        second = lab.run()
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert second.status == 1
    assert "Another run works in this checkout." in second.row("bad")
    assert git(checkout, "log", "--oneline").count("\n") == 0


def test_files_staged_during_a_hook_stop_the_commit(lab: Lab) -> None:
    checkout = lab.repository("bad")
    (checkout / "new.txt").write_text("x\n")
    script = "echo two > two.txt && env -u GIT_INDEX_FILE git add two.txt"
    lab.hook("bad", "pre-commit", script)
    done = lab.run()
    assert done.status == 1
    assert "Something was staged while the hooks ran" in done.row("bad")
    assert git(checkout, "log", "--oneline").count("\n") == 0


def test_a_commit_made_during_a_hook_is_not_lost(lab: Lab) -> None:
    checkout = lab.repository("bad")
    (checkout / "new.txt").write_text("x\n")
    script = "env -u GIT_INDEX_FILE git commit -q --no-verify --allow-empty -m Meanwhile"
    lab.hook("bad", "pre-commit", script)
    done = lab.run()
    assert done.status == 1
    assert git(checkout, "log", "-1", "--format=%s") == "Meanwhile"
    assert git(checkout, "status", "--porcelain") == "?? new.txt"


def test_a_git_that_refreshes_the_index_meanwhile_causes_no_error(lab: Lab) -> None:
    checkout = lab.repository("bad")
    (checkout / "new.txt").write_text("x\n")
    script = "touch -d '2020-01-01' README.md && env -u GIT_INDEX_FILE -u GIT_OPTIONAL_LOCKS git status -s"
    lab.hook("bad", "pre-commit", script)
    done = lab.run()
    assert done.status == 0, done.output
    assert git(checkout, "status", "--porcelain") == ""


BRANCH_MOVES = 'test "$1" = prepared && grep -q " refs/heads/main$" || exit 0'


def test_a_kill_between_index_and_branch_loses_nothing(lab: Lab) -> None:
    """The only moment in which a kill leaves a trace: the index is exchanged, the branch is not moved yet."""
    checkout = lab.repository("bad")
    (checkout / "new.txt").write_text("x\n")
    head = git(checkout, "rev-parse", "HEAD")
    sign = hanging_hook(lab, "bad", "reference-transaction", BRANCH_MOVES)
    with started(lab) as process:
        wait_for(sign)
        process.kill()
        process.communicate(timeout=60)
    os.kill(int(sign.read_text()), signal.SIGKILL)
    for _ in backoff(20):  # until git, whose hook that was, has given up
        if not (checkout / ".git" / "refs" / "heads" / "main.lock").exists():
            break
    assert git(checkout, "rev-parse", "HEAD") == head
    assert git(checkout, "status", "--porcelain") == "A  new.txt"
    (checkout / ".git" / "hooks" / "reference-transaction").unlink()
    assert lab.run().status == 0
    assert lab.tip("bad") == git(checkout, "rev-parse", "HEAD")


def test_a_branch_that_cannot_be_moved_leaves_the_index_unchanged(lab: Lab) -> None:
    checkout = lab.repository("bad")
    (checkout / "new.txt").write_text("x\n")
    lab.hook("bad", "reference-transaction", f"{BRANCH_MOVES}; exit 1")
    before = snapshot(checkout)
    done = lab.run()
    assert done.status == 1
    assert "Moving the branch failed" in done.row("bad")
    assert snapshot(checkout) == before
