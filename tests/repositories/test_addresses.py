"""A remote with several push addresses: each of them is checked separately."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.repositories.lab import Lab, git, snapshot

REFUSES = "echo 'main is protected' >&2; exit 1"


@pytest.fixture
def checkout(lab: Lab) -> Path:
    """Pushed to `bad` and to `second`; fetched from `bad`."""
    folder = lab.repository("bad")
    git(lab.folder, "clone", "-q", "--bare", str(lab.remote("bad")), str(lab.remote("second")))
    for name in ("bad", "second"):
        git(folder, "remote", "set-url", "--add", "--push", "origin", str(lab.remote(name)))
    (folder / "new.txt").write_text("new\n")
    return folder


def test_every_address_gets_the_commit(lab: Lab, checkout: Path) -> None:
    done = lab.run()
    assert done.status == 0, done.output
    assert lab.tip("bad") == lab.tip("second") == git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize("refusing,taking", [("bad", "second"), ("second", "bad")])
def test_an_address_that_refuses_is_reported_and_gets_the_commit_later(
    lab: Lab, checkout: Path, refusing: str, taking: str
) -> None:
    before = lab.tip(refusing)
    lab.hook(refusing, "pre-receive", REFUSES, remote=True)
    done = lab.run()
    assert done.status == 1
    row = done.row("bad")
    assert f"Pushed to {lab.remote(taking)}, but not to {lab.remote(refusing)} (pre-receive hook declined)" in row
    head = git(checkout, "rev-parse", "HEAD")
    assert (lab.tip(taking), lab.tip(refusing)) == (head, before), "kept here, since one has it"
    assert git(checkout, "status", "--porcelain") == ""
    (lab.remote(refusing) / "hooks" / "pre-receive").unlink()
    assert lab.run(dry_run=True).row("bad").endswith("push 1")
    assert lab.run().status == 0
    assert lab.tip("bad") == lab.tip("second") == head


def test_a_commit_refused_by_all_addresses_is_undone(lab: Lab, checkout: Path) -> None:
    before = snapshot(checkout)
    for name in ("bad", "second"):
        lab.hook(name, "pre-receive", REFUSES, remote=True)
    done = lab.run()
    assert "The remote refused the push (pre-receive hook declined)" in done.row("bad")
    assert snapshot(checkout) == before


def test_an_unreachable_address_prevents_the_commit(lab: Lab, checkout: Path) -> None:
    lab.remote("second").rename(lab.folder / "elsewhere")
    before = snapshot(checkout)
    done = lab.run()
    assert "The remote repository does not exist." in done.row("bad")
    assert snapshot(checkout) == before
    assert lab.tip("bad") == git(checkout, "rev-parse", "HEAD")


def test_an_address_that_disappears_during_the_push_leaves_the_commit(lab: Lab, checkout: Path) -> None:
    """It is unknown what has arrived there."""
    lab.hook("bad", "pre-receive", REFUSES, remote=True)
    lab.hook("bad", "pre-push", f"rm -rf {lab.remote('second')}")
    done = lab.run()
    assert done.status == 1
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "log", "-1", "--format=%s") == "Add new.txt"


def test_an_address_with_other_commits_prevents_the_commit(lab: Lab, checkout: Path) -> None:
    other = lab.folder / "other"
    git(lab.folder, "clone", "-q", str(lab.remote("second")), str(other))
    git(other, "commit", "-q", "--allow-empty", "-m", "Theirs")
    git(other, "push", "-q")
    before = snapshot(checkout)
    done = lab.run()
    pull = f"git -C ../bad pull --rebase --autostash {lab.remote('second')} main"
    assert f"{lab.remote('second')} has commits that this checkout does not have." in done.row("bad")
    assert done.row("bad").endswith(f" Fix: run `{pull}`, then run `oracle commit-all`.")
    assert snapshot(checkout) == before
    git(lab.project, *done.fix("bad").split()[1:])
    git(checkout, "push", "-q")
    assert lab.run().status == 0


def test_an_address_without_the_branch_gets_it_by_the_advised_command(lab: Lab, checkout: Path) -> None:
    git(lab.remote("second"), "update-ref", "-d", "refs/heads/main")
    row = lab.run().row("bad")
    push = "git -C ../bad push origin"
    assert row.endswith(f"{lab.remote('second')} has no branch main. Fix: run `{push}`, then run `oracle commit-all`.")
    git(lab.project, "-C", "../bad", "push", "-q", "origin")
    assert lab.run().status == 0
    assert lab.tip("bad") == lab.tip("second")


def test_a_secret_that_one_address_lacks_is_not_pushed(lab: Lab, checkout: Path) -> None:
    (checkout / ".envrc").write_text("export A=1\n")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "Oops")
    git(checkout, "push", "-q", str(lab.remote("bad")), "main")
    done = lab.run()
    assert "A commit that is not pushed yet contains a secret: .envrc" in done.row("bad")


def test_a_separate_push_address_is_checked_and_not_the_fetch_address(lab: Lab) -> None:
    """A connection that breaks after the push is judged by the push address."""
    checkout = lab.repository("bad")
    git(lab.folder, "clone", "-q", "--bare", str(lab.remote("bad")), str(lab.remote("second")))
    git(checkout, "remote", "set-url", "--push", "origin", str(lab.remote("second")))
    (checkout / "new.txt").write_text("new\n")
    lab.hook("second", "pre-receive", REFUSES, remote=True)
    before = snapshot(checkout)
    assert "refused the push" in lab.run().row("bad")
    assert snapshot(checkout) == before
    (lab.remote("second") / "hooks" / "pre-receive").unlink()
    assert lab.run().status == 0
    assert lab.tip("second") == git(checkout, "rev-parse", "HEAD")
    assert lab.run(dry_run=True).row("bad").endswith("nothing to do")
