"""The whole command on real repositories: the commits and pushes, and the repositories that must not change."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.repositories.lab import Lab, git, snapshot


def dirty(checkout: Path) -> None:
    """A change of each kind, partly staged."""
    (checkout / "src" / "a.ts").write_text("export const a = 2\n")
    git(checkout, "add", "src/a.ts")
    (checkout / "src" / "a.ts").write_text("export const a = 3\n")
    (checkout / "new file.txt").write_text("new\n")


def test_changes_are_committed_and_pushed(lab: Lab) -> None:
    checkout = lab.repository("api")
    dirty(checkout)
    done = lab.run()
    assert done.status == 0, done.output + done.errors
    assert git(checkout, "status", "--porcelain") == ""
    assert lab.tip("api") == git(checkout, "rev-parse", "HEAD")
    assert git(checkout, "log", "-1", "--format=%s") == "Change 2 files (1 new): new file.txt, src/a.ts"
    assert git(checkout, "show", "HEAD:src/a.ts") == "export const a = 3"
    assert git(checkout, "log", "-1", "--format=%an <%ae>") == "Ada <ada@example.org>"
    assert "commit: Change 2 files" in git(checkout, "reflog", "-1")
    assert git(checkout, "fsck", "--strict", "--no-dangling") == ""


def test_existing_commits_are_pushed(lab: Lab) -> None:
    checkout = lab.repository("api")
    (checkout / "README.md").write_text("more\n")
    git(checkout, "commit", "-qam", "By hand")
    seen = lab.run(dry_run=True)
    assert re.search(r"main +0 +1 +0 +push 1$", seen.row("api"))
    done = lab.run()
    assert done.status == 0
    assert re.search(r"- +1 +pushed$", done.row("api"))
    assert lab.tip("api") == git(checkout, "rev-parse", "HEAD")


def test_a_clean_repository_has_nothing_to_do(lab: Lab) -> None:
    checkout = lab.repository("api")
    before = snapshot(checkout)
    done = lab.run()
    assert (done.status, snapshot(checkout)) == (0, before)
    assert done.row("api").endswith("nothing to do")


def test_a_given_message_is_used_for_every_repository(lab: Lab) -> None:
    for name in ("api", "web"):
        dirty(lab.repository(name))
    assert lab.run(message="Greet people by name\n\nThey asked for it.").status == 0
    for name in ("api", "web"):
        said = git(lab.remote(name), "log", "-1", "--format=%B", "main")
        assert said == "Greet people by name\n\nThey asked for it."
    assert "message is empty" in lab.run(message="  ").errors


def test_only_the_named_repositories_are_changed(lab: Lab) -> None:
    dirty(lab.repository("api"))
    other = lab.repository("web")
    dirty(other)
    before = snapshot(other)
    assert lab.run("api").status == 0
    assert snapshot(other) == before
    assert git(lab.folder / "api", "status", "--porcelain") == ""


def test_a_dry_run_changes_nothing(lab: Lab) -> None:
    checkout = lab.repository("api")
    dirty(checkout)
    before, objects = snapshot(checkout), git(checkout, "count-objects")
    done = lab.run(dry_run=True)
    assert done.status == 0
    assert done.row("api").endswith("commit and push: Change 2 files (1 new): new file.txt, src/a.ts")
    assert (snapshot(checkout), git(checkout, "count-objects")) == (before, objects)
    assert lab.tip("api") == git(checkout, "rev-parse", "HEAD")


def test_a_clean_repository_may_be_behind_its_remote(lab: Lab) -> None:
    lab.repository("api")
    lab.pushed_by_somebody("api")
    done = lab.run()
    assert done.status == 0
    assert re.search(
        r"main +0 +0 +1 +nothing to do; to get the new commits, run `git -C ../api pull`$", done.row("api", table=0)
    )


def detached(lab: Lab, checkout: Path) -> None:
    git(checkout, "checkout", "-q", "--detach")


def _diverged(checkout: Path) -> None:
    git(checkout, "checkout", "-qb", "side")
    (checkout / "README.md").write_text("side\n")
    git(checkout, "commit", "-qam", "Side")
    git(checkout, "checkout", "-q", "main")
    (checkout / "README.md").write_text("main\n")
    git(checkout, "commit", "-qam", "Main")


def merging(lab: Lab, checkout: Path) -> None:
    _diverged(checkout)
    git(checkout, "merge", "side", check=False)


def merged_but_not_committed(lab: Lab, checkout: Path) -> None:
    merging(lab, checkout)
    (checkout / "README.md").write_text("both\n")
    git(checkout, "add", "README.md")


def rebasing(lab: Lab, checkout: Path) -> None:
    _diverged(checkout)
    git(checkout, "rebase", "side", check=False)


def picking(lab: Lab, checkout: Path) -> None:
    _diverged(checkout)
    git(checkout, "cherry-pick", "side", check=False)


def reverting(lab: Lab, checkout: Path) -> None:
    (checkout / "README.md").write_text("two\n")
    git(checkout, "commit", "-qam", "Two")
    (checkout / "README.md").write_text("three\n")
    git(checkout, "commit", "-qam", "Three")
    git(checkout, "revert", "--no-edit", "HEAD~1", check=False)


def conflicting(lab: Lab, checkout: Path) -> None:
    """Conflicts of which nothing but the index tells, as after `git stash pop`."""
    (checkout / "README.md").write_text("stashed\n")
    git(checkout, "stash", "-q")
    (checkout / "README.md").write_text("committed\n")
    git(checkout, "commit", "-qam", "Other")
    git(checkout, "push", "-q")
    git(checkout, "stash", "pop", check=False)


def without_upstream(lab: Lab, checkout: Path) -> None:
    git(checkout, "checkout", "-qb", "topic")
    (checkout / "src" / "a.ts").write_text("topic\n")


def upstream_of_another_name(lab: Lab, checkout: Path) -> None:
    git(checkout, "checkout", "-q", "-b", "topic", "--track", "origin/main")
    (checkout / "src" / "a.ts").write_text("topic\n")


def behind(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    lab.pushed_by_somebody("bad")


def offline(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    git(checkout, "remote", "set-url", "origin", "http://ada:pa55w0rd@127.0.0.1:9/bad.git")


def remote_is_gone(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    lab.remote("bad").rename(lab.folder / "elsewhere")


def branch_is_gone(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    git(lab.remote("bad"), "update-ref", "-d", "refs/heads/main")


def pre_commit_fails(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    lab.hook("bad", "pre-commit", "echo 'a.ts: no semicolon' >&2; exit 3")


def pre_commit_changes_files_and_fails(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    (checkout / "mode.sh").write_text("#!/bin/sh\n")
    (checkout / "mode.sh").chmod(0o755)
    script = (
        "echo formatted > src/a.ts; rm README.md; chmod 644 mode.sh; mkdir out; echo x > out/made; git add -A; exit 1"
    )
    lab.hook("bad", "pre-commit", script)


def commit_msg_fails(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    lab.hook("bad", "pre-commit", "echo formatted > src/a.ts; git add src/a.ts")
    lab.hook("bad", "commit-msg", 'grep -q "^fix:" "$1"')


def pre_push_fails(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    lab.hook("bad", "pre-push", "echo 'tests failed' >&2; exit 1")


def remote_refuses(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    lab.hook("bad", "pre-receive", "echo 'main is protected' >&2; exit 1", remote=True)


def remote_refuses_a_commit_by_hand_too(lab: Lab, checkout: Path) -> None:
    (checkout / "README.md").write_text("by hand\n")
    git(checkout, "commit", "-qam", "By hand")
    remote_refuses(lab, checkout)


def envrc(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    (checkout / ".envrc").write_text("export TOKEN=abc\n")


def locked(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    (checkout / ".git" / "index.lock").touch()


def no_identity(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    git(checkout, "config", "user.useConfigOnly", "true")
    lines = (lab.folder.parent / "home" / "gitconfig").read_text().splitlines()
    (lab.folder.parent / "home" / "gitconfig").write_text("\n".join(line for line in lines if "Ada" not in line))
    git(checkout, "config", "user.email", "ada@example.org")
    git(lab.folder / "good", "config", "user.name", "Ada")


def signing_fails(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    git(checkout, "config", "commit.gpgSign", "true")
    git(checkout, "config", "gpg.program", "/bin/false")


def inner_repository(lab: Lab, checkout: Path) -> None:
    dirty(checkout)
    git(checkout, "init", "-q", "vendored")
    (checkout / "vendored" / "a").touch()
    git(checkout / "vendored", "add", "a")
    git(checkout / "vendored", "commit", "-qm", "Inner")


def huge_file(lab: Lab, checkout: Path) -> None:
    with (checkout / "film.mp4").open("wb") as film:
        film.truncate(101 * 1024 * 1024)


FAILURES: dict[str, tuple[Callable[[Lab, Path], None], str]] = {
    each.__name__: (each, words)
    for each, words in (
        (detached, "HEAD is detached"),
        (merging, "A merge is in progress"),
        (merged_but_not_committed, "A merge is in progress"),
        (rebasing, "A rebase is in progress"),
        (picking, "A cherry-pick is in progress"),
        (reverting, "A revert is in progress"),
        (conflicting, "There are conflicts"),
        (without_upstream, "no upstream. Fix: run `git -C ../bad push -u origin topic`."),
        (upstream_of_another_name, "a branch of another name"),
        (behind, "has 1 commit that this checkout does not have."),
        (offline, "cannot be reached"),
        (remote_is_gone, "The remote repository does not exist."),
        (branch_is_gone, "The remote does not have the branch any more."),
        (pre_commit_fails, "The pre-commit hook refused the commit (status 3)."),
        (pre_commit_changes_files_and_fails, "The pre-commit hook refused the commit"),
        (commit_msg_fails, "The commit-msg hook refused the commit"),
        (pre_push_fails, "The pre-push hook refused the push."),
        (remote_refuses, "The remote refused the push (pre-receive hook declined)"),
        (remote_refuses_a_commit_by_hand_too, "The remote refused the push"),
        (envrc, ".envrc"),
        (locked, "Another git command"),
        (no_identity, "does not know your name and your e-mail address."),
        (signing_fails, "could not be signed"),
        (inner_repository, "vendored is a repository inside this one"),
        (huge_file, "film.mp4 has 101 MB"),
    )
}


@pytest.mark.parametrize("failure", sorted(FAILURES))
def test_a_repository_that_fails_is_unchanged_and_does_not_stop_the_others(lab: Lab, failure: str) -> None:
    bad, good = lab.repository("bad"), lab.repository("good")
    break_it, words = FAILURES[failure]
    break_it(lab, bad)
    dirty(good)
    before = snapshot(bad)
    remote = git(lab.remote("bad"), "rev-parse", "main", check=False) if lab.remote("bad").exists() else ""
    done = lab.run()
    assert done.status == 1
    assert "Traceback" not in done.output + done.errors
    row = done.row("bad")
    assert "stopped: " in row
    assert words in row
    assert "pa55w0rd" not in done.output + done.errors
    after = snapshot(bad)
    assert after == before
    if remote:
        assert git(lab.remote("bad"), "rev-parse", "main", check=False) == remote
    assert git(good, "status", "--porcelain") == ""
    assert lab.tip("good") == git(good, "rev-parse", "HEAD")


def test_the_command_continues_after_the_cause_was_removed(lab: Lab) -> None:
    checkout = lab.repository("bad")
    remote_refuses(lab, checkout)
    assert lab.run().status == 1
    (lab.remote("bad") / "hooks" / "pre-receive").unlink()
    assert lab.run().status == 0
    assert lab.tip("bad") == git(checkout, "rev-parse", "HEAD")
    assert git(checkout, "status", "--porcelain") == ""


@pytest.mark.parametrize("kind", ["pre-commit", "pre-push"])
def test_a_push_that_lost_a_race_is_not_forced(lab: Lab, kind: str) -> None:
    """Somebody pushes between the check of the remote and our push, or during our push."""
    checkout = lab.repository("bad")
    dirty(checkout)
    lab.pushed_by_somebody("bad", "first.txt")
    git(checkout, "pull", "-q", "--autostash")
    before = snapshot(checkout)
    other = lab.folder / "other" / "bad"
    (other / "raced.txt").write_text("raced\n")
    git(other, "add", "-A")
    git(other, "commit", "-qm", "Raced")
    lab.hook("bad", kind, f"cd {other} && env -u GIT_DIR -u GIT_INDEX_FILE git push -q origin main")
    done = lab.run()
    assert done.status == 1
    assert "Somebody else pushed at the same time." in done.row("bad")
    assert lab.tip("bad") == git(other, "rev-parse", "HEAD")
    assert snapshot(checkout) == before


def test_files_changed_by_a_failed_hook_can_be_recovered(lab: Lab) -> None:
    checkout = lab.repository("bad")
    pre_commit_changes_files_and_fails(lab, checkout)
    done = lab.run()
    (kept,) = re.findall(r"To see its changes, run `git -C \.\./bad show (\w+)", done.output)
    assert git(checkout, "show", f"{kept}:src/a.ts") == "formatted"
    assert git(checkout, "show", f"{kept}:out/made") == "x"


def test_changes_made_by_hooks_are_committed(lab: Lab) -> None:
    """For example by formatters that stage their changes, and by hooks that sign the message."""
    checkout = lab.repository("api")
    dirty(checkout)
    lab.hook("api", "pre-commit", "echo formatted > src/a.ts && git add src/a.ts")
    lab.hook("api", "prepare-commit-msg", 'test "$2" = message && echo "prepared" >> "$1"')
    lab.hook("api", "commit-msg", 'echo "Signed-off-by: Ada" >> "$1"')
    lab.hook(
        "api", "post-commit", "git log -1 --format=%s > ../told; git diff --cached --quiet && echo clean >> ../told"
    )
    assert lab.run(message="Say it").status == 0
    assert git(checkout, "show", "HEAD:src/a.ts") == "formatted"
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "log", "-1", "--format=%B") == "Say it\nprepared\nSigned-off-by: Ada"
    assert (lab.folder / "told").read_text().splitlines()[-1] == "clean"


def test_a_missing_or_invalid_checkout_is_reported_in_its_row(lab: Lab) -> None:
    good = lab.repository("good")
    dirty(good)
    lab.enlist("gone")
    (lab.folder / "none").mkdir()
    lab.enlist("none")
    done = lab.run()
    assert done.status == 1
    assert "The checkout does not exist." in done.row("gone")
    assert "The folder is not the top of a git repository." in done.row("none")
    assert git(good, "status", "--porcelain") == ""


def test_a_folder_inside_another_repository_is_not_a_checkout(lab: Lab) -> None:
    outer = lab.repository("outer")
    (outer / "inner").mkdir()
    (outer / "inner" / "file").touch()
    (lab.folder / "linked").symlink_to(outer / "inner")
    lab.names.clear()
    lab.enlist("linked")
    done = lab.run()
    assert "The folder is not the top of a git repository." in done.row("linked")
    assert git(outer, "log", "--oneline").count("\n") == 0


def test_an_unknown_repository_name_is_refused(lab: Lab) -> None:
    lab.repository("api")
    done = lab.run("apy")
    assert "There is no repository apy." in done.errors
