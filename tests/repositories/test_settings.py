"""Checkouts with all kinds of git settings: signatures, hooks with daemons, partial clones, no commit yet."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from repositories.configuration import load
from repositories.processes import Processes
from repositories.versions import version
from tests.programs.test_git import HOSTILE
from tests.repositories.lab import Lab, git


def dirty(checkout: Path) -> None:
    (checkout / "src" / "a.ts").write_text("export const a = 3\n")
    (checkout / "café ü.txt").write_text("new\n")


def user_settings(lab: Lab) -> Path:
    return lab.folder.parent / "home" / "gitconfig"


def sign(lab: Lab) -> None:
    """Commits are signed, and git can verify them."""
    key = lab.folder.parent / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    signers = lab.folder.parent / "signers"
    signers.write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}")
    with user_settings(lab).open("a") as settings:
        settings.write(
            f"[commit]\n\tgpgSign = true\n[gpg]\n\tformat = ssh\n[user]\n\tsigningKey = {key}\n"
            f'[gpg "ssh"]\n\tallowedSignersFile = {signers}\n'
        )


def test_signed_commits_are_made_under_any_settings(lab: Lab) -> None:
    sign(lab)
    checkout = lab.repository("api")
    with user_settings(lab).open("a") as settings:
        settings.write(HOSTILE.replace("default = nothing", ""))
    dirty(checkout)
    done = lab.run(message="Grüße")
    assert done.status == 0, done.output + done.errors
    plain = {"GIT_CONFIG_GLOBAL": "/dev/null"}
    tip = lab.tip("api")
    shown = subprocess.run(
        ["git", "cat-file", "commit", tip], cwd=checkout, capture_output=True, check=True, env={**os.environ, **plain}
    ).stdout
    assert b"\ngpgsig -----BEGIN SSH SIGNATURE-----" in shown
    assert b"\nencoding " not in shown
    assert shown.endswith("\n\nGrüße\n".encode())
    (only,) = load(lab.project).repositories
    found = version(only, lab.project, Processes(), lab.folder / "map" / "REPO_MAP.md")
    assert found.commit == tip[:10]
    found = version(only, lab.project, Processes(), checkout / "REPO_MAP.md")
    assert found.commit == tip[:10]


def test_hooks_path_and_push_url_settings_are_used(lab: Lab) -> None:
    checkout = lab.repository("api")
    hooks = lab.folder / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "pre-push"):
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> {lab.folder}/ran\n")
        (hooks / name).chmod(0o755)
    with user_settings(lab).open("a") as settings:
        settings.write(f'[core]\n\thooksPath = {hooks}\n[url "{lab.folder}/remotes/"]\n\tinsteadOf = ours:\n')
    git(checkout, "remote", "set-url", "origin", "ours:api.git")
    dirty(checkout)
    assert lab.run().status == 0
    assert (lab.folder / "ran").read_text().split() == ["pre-commit", "pre-push"]
    assert lab.tip("api") == git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize("kind", ["pre-commit", "commit-msg", "post-commit", "pre-push"])
def test_a_process_left_behind_by_a_hook_is_not_waited_for(lab: Lab, kind: str) -> None:
    """It holds the hook's output open for ten minutes; the run itself may take two."""
    checkout = lab.repository("api")
    dirty(checkout)
    lab.hook("api", kind, f"sleep 600 & echo $! > {lab.folder}/pid")
    try:
        done = lab.run()
        assert done.status == 0, done.output + done.errors
        os.kill(int((lab.folder / "pid").read_text()), 0)
    finally:
        os.kill(int((lab.folder / "pid").read_text()), signal.SIGKILL)
    assert lab.tip("api") == git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize("remote", [True, False])
def test_a_repository_without_a_commit_can_start_by_the_advised_command(lab: Lab, remote: bool) -> None:
    git(lab.folder, "init", "-q", "--bare", str(lab.remote("fresh")))
    checkout = lab.folder / "fresh"
    git(lab.folder, "init", "-q", str(checkout))
    if remote:
        git(checkout, "remote", "add", "origin", str(lab.remote("fresh")))
    (checkout / "a.txt").write_text("a\n")
    lab.enlist("fresh")
    done = lab.run()
    assert done.status == 1
    assert "The branch main has no commit yet." in done.row("fresh")
    command = done.fix("fresh").replace("URL", str(lab.remote("fresh")))
    subprocess.run(command, shell=True, cwd=lab.project, check=True, capture_output=True)
    assert lab.run().status == 0
    assert git(lab.remote("fresh"), "show", "main:a.txt") == "a"


def test_a_new_branch_is_pushed_from_a_single_branch_clone(lab: Lab) -> None:
    lab.repository("origin")
    checkout = lab.folder / "single"
    git(lab.folder, "clone", "-q", "--single-branch", f"file://{lab.remote('origin')}", str(checkout))
    git(checkout, "checkout", "-qb", "topic")
    git(checkout, "push", "-qu", "origin", "topic")
    lab.names.clear()
    lab.enlist("single")
    dirty(checkout)
    done = lab.run()
    assert done.status == 0, done.output
    assert git(lab.remote("origin"), "rev-parse", "topic") == git(checkout, "rev-parse", "HEAD")
    assert lab.run(dry_run=True).row("single").endswith("nothing to do")


def test_commits_of_others_are_seen_in_a_single_branch_clone(lab: Lab) -> None:
    lab.repository("origin")
    checkout, other = lab.folder / "single", lab.folder / "other"
    git(lab.folder, "clone", "-q", "--single-branch", f"file://{lab.remote('origin')}", str(checkout))
    git(checkout, "checkout", "-qb", "topic")
    git(checkout, "push", "-qu", "origin", "topic")
    git(lab.folder, "clone", "-q", "-b", "topic", str(lab.remote("origin")), str(other))
    git(other, "commit", "-q", "--allow-empty", "-m", "Theirs")
    git(other, "push", "-q")
    lab.names.clear()
    lab.enlist("single")
    dirty(checkout)
    assert "The remote has 1 commit that this checkout does not have." in lab.run().row("single")
    git(lab.remote("origin"), "update-ref", "-d", "refs/heads/topic")
    assert "The remote does not have the branch any more." in lab.run().row("single")


def test_a_checkout_of_another_user_is_named_by_its_absolute_path(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git accepts no relative path there."""
    spaced = Lab(lab.folder.parent / "a b", lab.template)
    checkout = spaced.repository("api")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    command = spaced.run().fix("api")
    assert command == f"git config --global --add safe.directory '{checkout}'"
    subprocess.run(command, shell=True, cwd=spaced.project, check=True)
    assert str(checkout) not in spaced.run(dry_run=True).row("api"), "its remote is next"
