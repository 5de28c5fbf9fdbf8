"""The creation of .venv: with uv, without uv, after an interruption, and where Python cannot make one."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest

from toolchain import pins, python
from toolchain.errors import DiskFull, ToolError


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been run."""
    ran: list[list[str]] = []

    def record(command: list[str | Path], **_: Any) -> None:
        ran.append([str(part) for part in command])
        if "venv" in ran[-1]:
            (Path(ran[-1][-1]) / "bin").mkdir(parents=True, exist_ok=True)
            (Path(ran[-1][-1]) / "bin" / "python").touch()

    monkeypatch.setattr(python, "run", record)
    monkeypatch.setattr(python, "output", lambda *_, **__: None)
    return ran


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(python, "find_uv", lambda: tmp_path / "uv")


def test_the_environment_is_made_with_uv(commands: list[list[str]], uv: None, tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    python.ensure(venv)
    assert [command[1:3] for command in commands] == [["venv", "--clear"], ["pip", "sync"], ["pip", "install"]]
    assert all("--require-hashes" in command for command in commands if str(pins.LOCK) in command)
    assert python.is_current(venv)
    python.ensure(venv)
    assert len(commands) == 3


def test_the_environment_is_made_without_uv(
    commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python, "find_uv", lambda: None)
    venv = tmp_path / ".venv"
    python.ensure(venv)
    assert [command[1:3] for command in commands[:2]] == [["-m", "venv"], ["-m", "ensurepip"]]
    assert [command[1:4] for command in commands[2:]] == [["-m", "pip", "install"]] * 2
    assert commands[2][-3:] == ["--require-hashes", "-r", str(pins.LOCK)]
    assert python.is_current(venv)


@pytest.mark.parametrize("with_uv", [True, False])
def test_the_project_is_installed_by_a_relative_path(
    with_uv: bool, commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A # or % in its path would be read as part of an address."""
    places: list[Path | None] = []
    recorded = vars(python)["run"]

    def run(command: list[str | Path], *, cwd: Path | None = None, **more: Any) -> None:
        recorded(command, **more)
        places.append(cwd)

    monkeypatch.setattr(python, "run", run)
    monkeypatch.setattr(python, "find_uv", lambda: tmp_path / "uv" if with_uv else None)
    python.ensure(tmp_path / ".venv")
    assert commands[-1][-2:] == ["-e", "."]
    assert places[-1] == pins.PROJECT


def test_the_users_pip_settings_do_not_change_the_installation(
    commands: list[list[str]], uv: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments: list[dict[str, str]] = []
    recorded = vars(python)["run"]

    def run(command: list[str | Path], *, env: dict[str, str], **more: Any) -> None:
        recorded(command, **more)
        environments.append(env)

    monkeypatch.setattr(python, "run", run)
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example/simple")
    python.ensure(tmp_path / ".venv")
    assert len(environments) == 3
    for each in environments:
        assert "PIP_USER" not in each
        assert each["PIP_INDEX_URL"] == "https://packages.example/simple"


@pytest.mark.parametrize("fails_at", ["venv", "sync", "-e"])
def test_an_interrupted_installation_is_repeated(
    fails_at: str, commands: list[list[str]], uv: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv, whole = tmp_path / ".venv", vars(python)["run"]

    def interrupted(command: list[str | Path], **more: Any) -> None:
        if fails_at in [str(part) for part in command]:
            raise KeyboardInterrupt
        whole(command, **more)

    with monkeypatch.context() as patch:
        patch.setattr(python, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            python.ensure(venv)
    assert not python.is_current(venv)
    python.ensure(venv)
    assert python.is_current(venv)


def test_an_interrupted_change_does_not_count_after_the_lock_is_restored(
    commands: list[list[str]], uv: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment was complete for the old lock; after an interrupted change it matches neither lock."""
    venv, other = tmp_path / ".venv", tmp_path / "other.lock"
    python.ensure(venv)
    other.write_text("other==1.0\n")

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pins, "LOCK", other)
        patch.setattr(python, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            python.ensure(venv)
    assert not python.is_current(venv)


def test_pip_is_used_when_uv_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_folder: Path) -> None:
        raise ToolError("getting uv failed with status 1. The end of its output:\n    no wheel for this machine")

    monkeypatch.setattr(python, "_make_uv", fail)
    assert python.find_uv() is None
    assert "so pip is used, which takes longer: no wheel for this machine" in capsys.readouterr().err


def test_a_full_disk_is_not_reported_as_a_missing_uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(_folder: Path) -> None:
        raise DiskFull(tmp_path, "getting uv")

    monkeypatch.setattr(python, "_make_uv", fail)
    with pytest.raises(DiskFull):
        python.find_uv()


def test_a_python_without_venv_is_one_sentence_with_the_missing_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian and Ubuntu have a separate package for it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(ToolError, match="its venv module is not installed") as told:
        python._plain_venv(tmp_path / "venv")
    assert told.value.fix.startswith("run `sudo apt-get install -y python3.")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ToolError) as told:
        python._plain_venv(tmp_path / "venv")
    assert "apt-get" not in told.value.fix
