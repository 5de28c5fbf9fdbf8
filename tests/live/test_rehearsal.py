"""A rehearsal in a clone of this repository, of a change that loses data. A safe change: test_service_ci.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.engine.stacks import TEMPLATE
from tests.live.project import PROJECT

pytestmark = [pytest.mark.live, pytest.mark.slow]

WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with this checkout as it is, then a release that leaves the data behind."""
    root = tmp_path_factory.mktemp("repository")
    listed = subprocess.run(
        ["git", "-C", str(PROJECT), "ls-files", "-coz", "--exclude-standard"], capture_output=True, check=True
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (PROJECT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, root / name)
    git(root, "init", "-q", "-b", "main")
    commit(root, "base")
    backend = root / "services/backend/entrypoint.sh"
    backend.write_text(backend.read_text().replace("exec ", "echo released\nexec ", 1))
    stack = root / TEMPLATE
    stack.write_text(stack.read_text().replace("config:\n", "config:\n  oracle-net:data: ephemeral\n"))
    commit(root, "a release that leaves the data behind")
    (root / ".venv").symlink_to(sys.prefix)
    return root


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *arguments], check=True)


def commit(root: Path, message: str) -> None:
    git(root, "add", "-A")
    git(root, *WHO, "commit", "-q", "-m", message)


def rehearse(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", "rehearse", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "DIGITALOCEAN_TOKEN": "planted-token-of-nobody"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
        check=False,
    )


def test_a_change_that_loses_data_fails_the_rehearsal(repository: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    done = rehearse(repository, "main~1..main", "--summary", str(summary))
    assert done.returncode == 1
    assert "oracle: The change loses data: of 3 records, 0 remain. Fix: run `oracle rehearse " in done.stdout
    text = summary.read_text()
    assert "**It failed.** The change loses data" in text
    assert "backend-app" in text
    assert "planted-token" not in text + done.stdout
    (kept,) = (repository / ".oracle/rehearsals").iterdir()
    assert (kept / "rehearsal.log").exists()
