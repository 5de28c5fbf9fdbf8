"""Git's answers are right under any user settings; the user's settings for access and commits are used."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from artifacts.contents import source_commit
from cli.engine.revisions import git as git_output
from cli.ui.errors import CommandError
from errors import Fix
from programs import git

HOSTILE = """
[log]
    showSignature = true
    follow = true
    showRoot = false
    date = relative
    decorate = full
[color]
    ui = always
    diff = always
    status = always
[core]
    quotePath = true
    pager = false
    fsmonitor = /bin/false
    editor = false
    abbrev = 4
[status]
    short = true
    branch = true
    showStash = true
    showUntrackedFiles = no
    relativePaths = false
[diff]
    external = /bin/false
    noprefix = true
    mnemonicPrefix = true
    renames = copies
    orderFile = no-such-file
    submodule = log
    interHunkContext = 9
[i18n]
    logOutputEncoding = UTF-16
    commitEncoding = ISO-8859-1
[format]
    pretty = oneline
[submodule]
    recurse = true
[fetch]
    prune = true
[push]
    default = nothing
    followTags = true
[help]
    autocorrect = 1
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's settings; a key for signatures lies beside them."""
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return config


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, home: Path) -> Path:
    """One signed commit."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    _git(folder, "init", "-q")
    (folder / "café.txt").write_text("one\n")
    _git(folder, "add", "-A")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    signers = tmp_path / "signers"
    signers.write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}")
    home.write_text(
        home.read_text()
        + f'[gpg]\n\tformat = ssh\n[user]\n\tsigningKey = {key}\n[gpg "ssh"]\n\tallowedSignersFile = {signers}\n'
    )
    _git(folder, "commit", "-q", "-S", "-m", "Begin")
    return folder


def test_the_commit_of_a_source_is_right_under_any_user_settings(checkout: Path, home: Path) -> None:
    commit = _git(checkout, "rev-parse", "HEAD")
    home.write_text(home.read_text() + HOSTILE)
    assert "Good" in subprocess.run(["git", "log", "-1"], cwd=checkout, capture_output=True, text=True).stdout
    assert source_commit(checkout) == commit
    (checkout / "new.txt").write_text("new\n")
    assert source_commit(checkout) == f"{commit}-dirty"


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"])
def test_variables_of_another_repository_are_ignored(
    name: str, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example in a hook, or below `git rebase --exec`."""
    commit = _git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv(name, str(tmp_path / "other"))
    assert source_commit(checkout) == commit
    assert git_output(checkout, "rev-parse", "HEAD") == commit


def test_the_users_own_variables_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {
        "GIT_SSH_COMMAND": "ssh -i key",
        "GIT_ASKPASS": "/usr/bin/true",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "GIT_TRACE": "/a/file",
        "HTTPS_PROXY": "http://proxy.example",
    }
    for name, value in {**kept, "GIT_DIR": "/x", "GIT_CURL_VERBOSE": "1", "GIT_PAGER": "less"}.items():
        monkeypatch.setenv(name, value)
    found = git.environment({"GIT_INDEX_FILE": "/ours"})
    assert {name: found.get(name) for name in kept} == kept
    assert found["GIT_INDEX_FILE"] == "/ours"
    assert found["GIT_TERMINAL_PROMPT"] == "0"
    assert "GIT_DIR" not in found
    assert "GIT_CURL_VERBOSE" not in found


def test_a_checkout_of_another_user_is_named_as_git_compares_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(CommandError) as raised:
        git_output(checkout, "rev-parse", "HEAD")
    trust = f"git config --global --add safe.directory {checkout}"
    assert raised.value.helps == (Fix(trust, "if you trust it"),)
    _git(checkout.parent, *trust.split()[1:])
    assert git_output(checkout, "rev-parse", "HEAD") == _git(checkout, "rev-parse", "HEAD")


def test_a_folder_with_a_space_is_quoted_in_the_advice() -> None:
    folder = git.distrusted("fatal: detected dubious ownership in repository at '/a b/it's'\nTo add an exception")
    assert folder == """'/a b/it'"'"'s'"""
    assert git.distrusted("fatal: not a git repository") is None


def test_a_missing_git_is_one_sentence(checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="Git does not start"):
        git_output(checkout, "rev-parse", "HEAD")
    assert source_commit(checkout) == ""
