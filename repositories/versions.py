"""The branch, commit and version of a checkout."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from repositories.checkout_state import State, checkout, find
from repositories.configuration import Repository
from repositories.failures import Stopped
from repositories.git import Git
from repositories.processes import Processes

COMMIT_LENGTH = 10


@dataclass(frozen=True)
class Version:
    """The version of one repository.

    `commit` has 10 hex digits. `version` is the nearest tag, or the version in package.json. Each is empty if there is
    none. `missing` is the reason why the checkout cannot be read.
    """

    repository: Repository
    branch: str = ""
    commit: str = ""
    version: str = ""
    missing: Stopped | None = None


def version(repository: Repository, project: Path, processes: Processes, written: Path) -> Version:
    """Return the version at the checkout's HEAD.

    Commits that change only the file `written`, the map, are skipped: the map has the version of its own repository,
    and its own commit would make it stale.
    """
    git = checkout(repository, project, processes)
    state = State(repository, git)
    try:
        find(state)
        commit = _last_commit(git, written)
    except Stopped as stopped:
        return Version(repository, missing=stopped)
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
    content = git.run("cat-file", "blob", f"{commit}:package.json") if commit else None
    if content is None or content.status != 0:
        return ""
    try:
        package = json.loads(content.text)
    except ValueError:
        return ""
    return str(package.get("version", "")) if isinstance(package, dict) else ""
