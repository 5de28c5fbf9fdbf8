"""A git repository as a team has it, to build apps from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.localcloud.account import PROGRAM


class Repository:
    """A real git repository with the test program in its folder `app`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "app").mkdir(parents=True)
        shutil.copy(PROGRAM, folder / "app")
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("first")

    def git(self, *words: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.test"]
        command = ["git", "-C", str(self.folder), *identity, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, word: str) -> str:
        (self.folder / "app" / "word.txt").write_text(word)
        self.git("add", "-A")
        self.git("commit", "--quiet", "-m", word)
        return self.git("rev-parse", "HEAD")
