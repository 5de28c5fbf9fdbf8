"""What a checkout is at: branch, commit, version."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from repositories.configuration import Repository
from repositories.failures import Stopped
from repositories.git import Git
from repositories.looking import State, checkout, find
from repositories.processes import Processes

COMMIT_LENGTH = 10


@dataclass(frozen=True)
class Version:
    """`commit` has 10 hex digits, `version` is the nearest tag's or package.json's; each is empty where there is none.
    `missing` is a sentence where there is no checkout to ask.
    """

    repository: Repository
    branch: str = ""
    commit: str = ""
    version: str = ""
    missing: str = ""


def version(repository: Repository, project: Path, processes: Processes, written: Path) -> Version:
    """What is at the checkout's HEAD. A commit of nothing but the file `written` does not count: the map names the
    repository that it lies in itself, and would be stale as soon as it is committed.
    """
    git = checkout(repository, project, processes)
    state = State(repository, git)
    try:
        find(state)
        commit = _last_commit(git, written)
    except Stopped as stopped:
        return Version(repository, missing=stopped.sentence)
    branch = state.branch or "(detached)"
    return Version(repository, branch, commit[:COMMIT_LENGTH], _tag(git, commit) or _package(git, commit))


def _last_commit(git: Git, written: Path) -> str:
    folder = git.folder.resolve()
    own = written.resolve()
    if not own.is_relative_to(folder):
        return git.run("rev-parse", "--verify", "--quiet", "HEAD").text
    left_out = f":(exclude,top,literal){own.relative_to(folder)}"
    return git.run("rev-list", "-1", "HEAD", "--", ":/", left_out).text


def _tag(git: Git, commit: str) -> str:
    return git.run("describe", "--tags", "--abbrev=0", commit).text if commit else ""


def _package(git: Git, commit: str) -> str:
    shown = git.run("cat-file", "blob", f"{commit}:package.json") if commit else None
    if shown is None or shown.status != 0:
        return ""
    try:
        found = json.loads(shown.text)
    except ValueError:
        return ""
    return str(found.get("version", "")) if isinstance(found, dict) else ""
