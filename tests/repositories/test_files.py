"""Files of every kind can be committed: odd names, links, modes, renames, submodules, ignored files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.repositories.lab import Lab, git, snapshot

ODD = [
    "with space.txt",
    "new\nline.txt",
    "tab\t.txt",
    'quo"te.txt',
    "ünï.txt",
    "-dash.txt",
    ":(top)x",
    "*",
    "back\\slash",
]


def test_files_with_odd_names_are_committed(lab: Lab) -> None:
    checkout = lab.repository("api")
    for name in ODD:
        (checkout / name).write_text("x\n")
    with open(os.fsencode(checkout) + b"/\xff.bin", "wb") as file:
        file.write(b"y\n")
    done = lab.run()
    assert done.status == 0, done.output + done.errors
    told = git(checkout, "ls-tree", "-z", "--name-only", "HEAD").split("\0")
    assert {*ODD, os.fsdecode(b"\xff.bin")} <= set(told)
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "log", "-1", "--format=%s").startswith(f"Add {len(ODD) + 1} files: ")


@pytest.mark.parametrize("name", ODD)
def test_a_secret_is_found_in_a_file_of_any_name(lab: Lab, name: str) -> None:
    checkout = lab.repository("api")
    (checkout / name).write_text("first\n-----BEGIN OPENSSH PRIVATE KEY-----\n")
    before = snapshot(checkout)
    done = lab.run()
    assert done.status == 1
    assert ":2 (Private Key)" in done.row("api")
    assert snapshot(checkout) == before


def test_renames_deletions_links_and_modes_are_committed(lab: Lab) -> None:
    checkout = lab.repository("api")
    (checkout / "big.txt").write_text("line\n" * 50)
    (checkout / "old.txt").write_text("old\n")
    (checkout / "run.sh").write_text("#!/bin/sh\n")
    assert lab.run().status == 0
    (checkout / "big.txt").rename(checkout / "src" / "grand.txt")
    (checkout / "old.txt").unlink()
    (checkout / "run.sh").chmod(0o755)
    (checkout / "link").symlink_to("../outside")
    done = lab.run()
    assert done.status == 0
    kinds = git(checkout, "show", "--format=", "--name-status", "-M", "HEAD").splitlines()
    assert kinds == ["A\tlink", "D\told.txt", "M\trun.sh", "R100\tbig.txt\tsrc/grand.txt"]
    assert "4 files (1 new, 1 deleted, 1 renamed)" in done.row("api")


def test_a_file_replaced_by_a_folder_is_committed(lab: Lab) -> None:
    checkout = lab.repository("api")
    (checkout / "README.md").unlink()
    (checkout / "README.md").mkdir()
    (checkout / "README.md" / "en.md").write_text("hi\n")
    lab.hook("api", "pre-commit", "rm -r README.md; echo file > README.md; exit 1")
    before = snapshot(checkout)
    assert lab.run().status == 1
    assert snapshot(checkout) == before
    (checkout / ".git" / "hooks" / "pre-commit").unlink()
    assert lab.run().status == 0
    assert git(checkout, "ls-tree", "-r", "--name-only", "HEAD") == "README.md/en.md\nsrc/a.ts"


def test_ignored_files_are_not_committed(lab: Lab) -> None:
    checkout = lab.repository("api")
    (checkout / ".gitignore").write_text(".envrc\nnode_modules/\n")
    (checkout / ".envrc").write_text("export TOKEN=abc\n")
    (checkout / "node_modules").mkdir()
    (checkout / "node_modules" / "x.js").touch()
    assert lab.run().status == 0
    assert git(checkout, "ls-tree", "-r", "--name-only", "HEAD") == ".gitignore\nREADME.md\nsrc/a.ts"


def submodule(lab: Lab) -> tuple[Path, Path]:
    lab.repository("library")
    checkout = lab.repository("api")
    git(checkout, "submodule", "--quiet", "add", str(lab.remote("library")), "lib")
    lab.names.remove("library")
    lab.names.remove("api")
    lab.enlist("api")
    return checkout, checkout / "lib"


def test_a_submodule_can_be_added_and_updated(lab: Lab) -> None:
    checkout, inner = submodule(lab)
    done = lab.run()
    assert done.status == 0, done.output
    (inner / "src" / "a.ts").write_text("inner\n")
    assert lab.run().row("api", table=0).endswith("nothing to do"), "its own edits are its own"
    git(inner, "commit", "-qam", "Inner")
    git(inner, "push", "-q")
    assert lab.run().status == 0
    assert git(checkout, "rev-parse", "HEAD:lib") == git(inner, "rev-parse", "HEAD")
    assert git(checkout, "status", "--porcelain") == ""


def test_an_unpushed_commit_of_a_submodule_is_refused(lab: Lab) -> None:
    checkout, inner = submodule(lab)
    assert lab.run().status == 0
    (inner / "src" / "a.ts").write_text("inner\n")
    git(inner, "commit", "-qam", "Inner")
    before, tip = snapshot(checkout), lab.tip("api")
    done = lab.run()
    assert done.status == 1
    assert "A submodule has commits that are not pushed" in done.row("api")
    assert (snapshot(checkout), lab.tip("api")) == (before, tip)


def test_a_linked_worktree_is_a_checkout(lab: Lab) -> None:
    main = lab.repository("api")
    tree = lab.folder / "tree"
    git(main, "worktree", "add", "-q", "-b", "topic", str(tree))
    git(tree, "push", "-qu", "origin", "topic")
    lab.names.clear()
    lab.enlist("tree")
    (tree / "new.txt").write_text("x\n")
    assert lab.run().status == 0
    assert git(lab.remote("api"), "log", "-1", "--format=%s", "topic") == "Add new.txt"
    assert git(main, "status", "--porcelain") == ""


def test_line_endings_survive_a_failed_commit(lab: Lab) -> None:
    checkout = lab.repository("api")
    (checkout / "dos.txt").write_bytes(b"a\r\nb\r\n")
    lab.hook("api", "pre-commit", "exit 1")
    before = snapshot(checkout)
    assert lab.run().status == 1
    assert snapshot(checkout) == before


def test_git_variables_of_a_surrounding_repository_are_ignored(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """For example when the command is run from another repository's hook."""
    other, checkout = lab.repository("other"), lab.repository("api")
    (checkout / "new.txt").write_text("x\n")
    before = snapshot(other)
    head = git(other, "rev-parse", "HEAD")
    with monkeypatch.context() as around:
        around.setenv("GIT_DIR", str(other / ".git"))
        around.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
        done = lab.run("api")
    assert done.status == 0
    assert (snapshot(other), git(other, "rev-parse", "HEAD")) == (before, head)
    assert lab.tip("api") == git(checkout, "rev-parse", "HEAD")
