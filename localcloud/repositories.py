"""Repositories that the local cloud may build from: a local checkout of each, and the commands that replace its
Dockerfile.

The real App Platform reaches a repository through GitHub's permission. Here an entry in this list is the permission.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from localcloud.store import Store

TABLE = """CREATE TABLE IF NOT EXISTS repositories (
    identity TEXT PRIMARY KEY, name TEXT NOT NULL, checkout TEXT NOT NULL,
    build TEXT NOT NULL, output TEXT NOT NULL, run TEXT NOT NULL);"""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
FIELDS = frozenset({"name", "checkout", "build", "output", "run"})
GITHUB = "github.com"


class RepositoryError(Exception):
    """An invalid description of a repository: one sentence."""


@dataclass(frozen=True)
class Repository:
    """A repository by its name on GitHub, OWNER/REPO, and the git checkout that is cloned instead.

    `build`, `output` and `run` are empty when no app builds from its Dockerfile.
    """

    name: str
    checkout: str
    """An absolute path."""
    build: str = ""
    """The shell command that replaces the Dockerfile's build, run in a clone's `source_dir`."""
    output: str = ""
    """The folder below `source_dir` that holds the built program, when it is not `source_dir` itself."""
    run: str = ""
    """The shell command that starts the program, like the Dockerfile's own."""

    @classmethod
    def read(cls, given: Any) -> Repository:
        """Read an entry from JSON. Raises RepositoryError."""
        if not isinstance(given, dict) or not all(isinstance(each, str) for each in given.values()):
            raise RepositoryError("A repository is a JSON object whose values are texts.")
        if unknown := sorted(set(given) - FIELDS):
            raise RepositoryError(
                f"A repository has no field {unknown[0]!r}. Fix: use one of {', '.join(sorted(FIELDS))}."
            )
        made = cls(**{"name": "", "checkout": "", **given})
        made._check()
        return made

    def _check(self) -> None:
        if not NAME.fullmatch(self.name):
            raise RepositoryError(f"{self.name!r} is not the name of a repository on GitHub, OWNER/REPO.")
        path = Path(self.checkout)
        if not path.is_absolute():
            raise RepositoryError(f"The checkout {self.checkout!r} is not an absolute path.")
        if not ((path / ".git").exists() or (path / "HEAD").is_file()):
            made = f"git clone https://{GITHUB}/{self.name} {self.checkout}"
            raise RepositoryError(f"{self.checkout} is not a git checkout. Fix: run `{made}`.")
        if bool(self.build) is not bool(self.run):
            raise RepositoryError(
                "A repository with a Dockerfile needs two commands. Fix: give both `build` and `run`, or neither."
            )
        if Path(self.output).is_absolute() or ".." in Path(self.output).parts:
            raise RepositoryError(f"{self.output!r} is not a folder below the checkout.")


class Repositories:
    """The list, stored in the local cloud's database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.script(TABLE)

    def put(self, repository: Repository) -> None:
        """Add an entry; it replaces an earlier one of the same name."""
        values = (identity(repository.name), *asdict(repository).values())
        self._store.execute("INSERT OR REPLACE INTO repositories VALUES (?, ?, ?, ?, ?, ?)", values)

    def remove(self, name: str) -> bool:
        """Remove an entry; return False when there was no such entry."""
        return self._store.execute("DELETE FROM repositories WHERE identity = ?", (identity(name),)) > 0

    def named(self, name: str) -> Repository | None:
        """Return the repository of this name, or of this clone address."""
        row = self._store.fetchone("SELECT * FROM repositories WHERE identity = ?", (identity(name),))
        return Repository(**{key: row[key] for key in row.keys() if key != "identity"}) if row else None  # noqa: SIM118

    def of(self, service: Mapping[str, Any]) -> Repository | None:
        """Return the listed repository that a component of a spec is built from."""
        name = source_name(service)
        return self.named(name) if name else None

    def listing(self) -> list[dict[str, str]]:
        """Return all entries, by name."""
        rows = self._store.fetchall("SELECT * FROM repositories ORDER BY identity")
        return [{key: row[key] for key in FIELDS} for row in rows]


def source_name(service: Mapping[str, Any]) -> str | None:
    """Return the source of a component: OWNER/REPO, or a clone address; None when it is an image."""
    github, git = service.get("github"), service.get("git")
    name = (github or {}).get("repo") or (git or {}).get("repo_clone_url")
    return str(name) if name else None


def identity(name: str) -> str:
    """Normalize a repository's name to `github.com/owner/repo`. GitHub's names have no case."""
    if NAME.fullmatch(name):
        name = f"{GITHUB}/{name}"
    return name.partition("://")[2].removesuffix("/").removesuffix(".git").lower() if "://" in name else name.lower()
