"""Real git repositories with bare remotes on this disk, and a git that knows nothing of this machine's own settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.repositories.lab import Lab


@pytest.fixture
def lab(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Lab:
    home = tmp_path / "home"
    home.mkdir()
    (home / "gitconfig").write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n\ttemplateDir =\n"
        '[advice]\n\tdetachedHead = false\n[protocol "file"]\n\tallow = always\n[commit]\n\tgpgSign = false\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_SSH_COMMAND", "EDITOR", "GIT_EDITOR"):
        monkeypatch.delenv(name, raising=False)
    return Lab(tmp_path / "all", tmp_path_factory.getbasetemp() / "repository")
