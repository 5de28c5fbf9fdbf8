"""Checkouts with remotes, what they hold, and the command run on them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support import forked

ROOT = Path(__file__).parents[2]
RUN = "import sys; from pathlib import Path; from cli.repositories.commit_all import commit_all; "


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False, errors="surrogateescape"
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass(frozen=True)
class Finished(forked.Finished):
    def row(self, name: str, table: int = -1) -> str:
        """A repository's line in one of the tables; in the last by default."""
        tables = [part for part in self.output.split("\n\n") if part.startswith("repository")]
        (found,) = [line for line in tables[table].splitlines() if line.startswith(f"{name} ")]
        return found

    def fix(self, name: str) -> str:
        """The first command in a repository's line that fixes what has stopped it."""
        return self.row(name).partition(" Fix: ")[2].split("`")[1]


class Lab:
    """A project with a list of repositories, each with a checkout and a bare remote.

    They are copies of one that is made in `template`, since each takes git eight processes.
    """

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder, self.template = folder, template
        self.project = folder / "project"
        self.project.mkdir(parents=True)
        self.names: list[str] = []

    def repository(self, name: str) -> Path:
        """A checkout with one commit that is on its remote."""
        remote, checkout = self.remote(name), self.folder / name
        if not self.template.exists():
            self._make_template()
        shutil.copytree(self.template / "remote", remote)
        shutil.copytree(self.template / "checkout", checkout)
        config = checkout / ".git" / "config"
        config.write_text(config.read_text().replace(str(self.template / "remote"), str(remote)))
        self.enlist(name)
        return checkout

    def _make_template(self) -> None:
        making = self.template.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        remote, checkout = making / "remote", making / "checkout"
        making.mkdir(parents=True)
        git(making, "init", "-q", "--bare", str(remote))
        git(making, "init", "-q", str(checkout))
        (checkout / "README.md").write_text("# A repository\n")
        (checkout / "src").mkdir()
        (checkout / "src" / "a.ts").write_text("export const a = 1\n")
        git(checkout, "add", "-A")
        git(checkout, "commit", "-qm", "Begin")
        git(checkout, "remote", "add", "origin", str(remote))
        git(checkout, "push", "-qu", "origin", "main")
        git(checkout, "remote", "set-url", "origin", str(self.template / "remote"))
        making.rename(self.template)

    def remote(self, name: str) -> Path:
        return self.folder / "remotes" / f"{name}.git"

    def enlist(self, name: str) -> None:
        self.names.append(name)
        entries = [{"name": each, "path": f"../{each}", "what": "A test", "service": None} for each in self.names]
        (self.project / "repositories.yaml").write_text(
            yaml.safe_dump({"map": "../map/REPO_MAP.md", "repositories": entries})
        )

    def hook(self, name: str, kind: str, script: str, remote: bool = False) -> None:
        folder = self.remote(name) / "hooks" if remote else self.folder / name / ".git" / "hooks"
        folder.mkdir(exist_ok=True)
        (folder / kind).write_text(f"#!/bin/sh\n{script}\n")
        (folder / kind).chmod(0o755)

    def pushed_by_somebody(self, name: str, file: str = "theirs.txt") -> None:
        """A commit on the remote that the checkout does not have."""
        other = self.folder / "other" / name
        if not other.exists():
            git(self.folder, "clone", "-q", str(self.remote(name)), str(other))
        (other / file).write_text("theirs\n")
        git(other, "add", "-A")
        git(other, "commit", "-qm", "Theirs")
        git(other, "push", "-q")

    def command(self, names: list[str], message: str | None, dry_run: bool) -> list[str]:
        call = f"sys.exit(commit_all(Path({str(self.project)!r}), {names!r}, {message!r}, {dry_run!r}))"
        return [sys.executable, "-W", "error", "-c", RUN + call]

    def run(self, *names: str, message: str | None = None, dry_run: bool = False, seconds: float = 120) -> Finished:
        """The command, as a program of its own without a terminal."""
        *_, code = self.command([*names], message, dry_run)
        strictly = f"import warnings; warnings.simplefilter('error'); {code}"
        done = forked.python(["-c", strictly], ROOT, os.environ, seconds)
        return Finished(done.status, done.output, done.errors)

    def tip(self, name: str) -> str:
        """The commit of the remote's main."""
        return git(self.remote(name), "rev-parse", "main")


def snapshot(checkout: Path) -> dict[str, str]:
    """All there is to a checkout: files with modes and bytes, index, head, branches, and git's own loose ends."""
    found = {
        "head": (checkout / ".git" / "HEAD").read_text(),
        "branches": git(checkout, "for-each-ref", "refs/heads", "refs/tags", "refs/stash"),
        "index": git(checkout, "ls-files", "--stage"),
        "status": git(checkout, "--no-optional-locks", "status", "--porcelain=v2", "--untracked-files=all"),
        "loose ends": " ".join(sorted(p.name for p in (checkout / ".git").iterdir() if p.name not in KNOWN)),
    }
    for folder, folders, files in os.walk(checkout):
        if ".git" in folders:
            folders.remove(".git")
        for name in files:
            path = Path(folder) / name
            content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            found[str(path)] = f"{path.lstat().st_mode:o} {hashlib.sha256(content).hexdigest()}"
    return found


# Made by looking, committing and fetching in the ordinary way; none of it changes what a person sees.
KNOWN = frozenset({"FETCH_HEAD", "ORIG_HEAD", "COMMIT_EDITMSG", "objects", "logs", "refs", "index", "hooks"})
