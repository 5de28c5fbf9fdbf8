"""Benchmark of `oracle commit-all`: all repositories at once against one by one.

Run it with `python -m benchmarks.commit_all [COUNT]`. It creates COUNT (50) git repositories with bare remotes, changes
a file in each, and commits and pushes them all: one after another, and at once. Both alternate in one run, so that the
machine's speed cancels out. The first part has the remotes on this disk, where git itself takes the time. The second
part delays every connection by 0.3 seconds, like a remote on the internet. Prints medians of wall-clock seconds and
their ratio.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from repositories.configuration import Repository
from repositories.work import AT_ONCE, Work

ROUNDS = 3
AWAY = 0.3  # seconds to connect
SSH = f'#!/bin/sh\nsleep {AWAY}\nfor command; do :; done\nexec sh -c "$command"\n'


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def isolated(home: Path) -> None:
    """Return the environment of a git without this machine's settings; its `ssh` stays on this machine and is slow."""
    (home / "gitconfig").write_text("[user]\n\tname = A\n\temail = a@example.org\n[init]\n\tdefaultBranch = main\n")
    (home / "ssh").write_text(SSH)
    (home / "ssh").chmod(0o755)
    own = {"GIT_CONFIG_GLOBAL": home / "gitconfig", "GIT_SSH_COMMAND": home / "ssh", "HOME": home}
    os.environ.update({name: str(value) for name, value in own.items()})
    os.environ |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_SSH_VARIANT": "simple"}


def made(folder: Path, count: int) -> list[Repository]:
    """Create the repositories, each with a commit that is on its remote."""
    repositories = []
    for name in (f"repo-{number:02}" for number in range(count)):
        git(folder, "init", "-q", "--bare", f"{name}.git")
        git(folder, "clone", "-q", f"{name}.git", name)
        git(folder / name, "commit", "-q", "--allow-empty", "-m", "Begin")
        git(folder / name, "push", "-q", "origin", "main")
        repositories.append(Repository(name=name, path=name, what=name, service=None))
    return repositories


def aim(folder: Path, repositories: list[Repository], away: bool) -> None:
    """Set the remotes: on this disk, or behind the slow `ssh`."""
    for each in repositories:
        git(
            folder / each.path, "remote", "set-url", "origin", f"{'ssh://away' if away else ''}{folder}/{each.name}.git"
        )


def measured(folder: Path, repositories: list[Repository], at_once: int) -> float:
    """Return the seconds to check, commit and push all. Exits when one did not succeed."""
    for each in repositories:
        (folder / each.path / "file.txt").write_text(f"{time.monotonic_ns()}\n" * 20)
    start = time.monotonic()
    work = Work(folder, at_once)
    outcomes = work.finish(work.look(repositories))
    took = time.monotonic() - start
    if failed := [each for each in outcomes if each.pushed != 1]:
        sys.exit(f"{failed[0].state.repository.name}: {failed[0].stopped}")
    return took


def main() -> None:
    """Measure both in turn and print the ratios."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        isolated(folder)
        repositories = made(folder, count)
        for away in (False, True):
            aim(folder, repositories, away)
            rounds = [[measured(folder, repositories, at_once) for at_once in (1, AT_ONCE)] for _ in range(ROUNDS)]
            alone, together = (statistics.median(column) for column in zip(*rounds, strict=True))
            where = f"remotes {AWAY} s away" if away else "remotes on disk"
            print(
                f"{count} repositories, {where:20} {alone:6.1f} s one after another {together:6.1f} s at once", end=""
            )
            print(f"   {alone / together:4.1f} x")


if __name__ == "__main__":
    main()
