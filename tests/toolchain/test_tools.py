"""The tools that `locate()` returns, and its errors."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.toolchain.conftest import Program
from toolchain import engine, pins, python, tools
from toolchain.errors import ToolMissing

MISSING = {
    "engine_bin": "The Pulumi engine is no longer at",
    "node": "Node is no longer at",
    "node_modules": "The Workers runtime is no longer at",
    "pocketbase": "PocketBase is no longer at",
    "python": "The Python environment is no longer at",
}


@pytest.fixture
def venv(tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished environment, with a record of tools that are all there."""
    folder = tmp_path / ".venv"
    for name in ("python", "pocketbase", "node", *engine.PROGRAMS):
        program(folder / "bin" / name, "exit 0")
    (folder / "node_modules" / "miniflare").mkdir(parents=True)
    (folder / python.STAMP).write_text(python.stamp(folder))
    monkeypatch.setattr(python, "VENV", folder)
    found = tools.Tools(
        engine_bin=folder / "bin",
        engine_version="3.259.0",
        engine_source="modules",
        node=folder / "bin" / "node",
        node_modules=folder / "node_modules",
        pocketbase=folder / "bin" / "pocketbase",
        python=folder / "bin" / "python",
    )
    tools._write(found, tools._key())
    return folder


def test_the_recorded_tools_are_returned(venv: Path) -> None:
    found = tools.locate(venv)
    assert found.engine_bin == venv / "bin"
    assert (found.engine_version, found.engine_source) == ("3.259.0", "modules")
    assert tools.is_current(venv)


@pytest.mark.parametrize("name", MISSING)
def test_each_missing_tool_is_named(name: str, venv: Path) -> None:
    record = json.loads((venv / tools.RECORD).read_text())
    record["tools"][name] = str(venv / "gone")
    (venv / tools.RECORD).write_text(json.dumps(record))
    with pytest.raises(ToolMissing, match=MISSING[name]) as told:
        tools.locate(venv)
    assert told.value.fix == "run `make tools`"
    assert not tools.is_current(venv)


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"key": "x", "tools": {}}'])
def test_a_missing_or_broken_record_is_one_sentence(content: str | None, venv: Path) -> None:
    (venv / tools.RECORD).unlink()
    if content is not None:
        (venv / tools.RECORD).write_text(content)
    with pytest.raises(ToolMissing, match="have not been installed yet"):
        tools.locate(venv)
    assert not tools.is_current(venv)


@pytest.mark.parametrize("name", ["pulumi", "node"])
def test_a_new_program_on_path_makes_the_tools_outdated(
    name: str, venv: Path, tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "new" / name, "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'new'}:{os.environ['PATH']}")
    assert not tools.is_current(venv)


def test_a_changed_lock_makes_the_environment_outdated(
    venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("other==1.0\n")
    monkeypatch.setattr(pins, "LOCK", lock)
    assert not python.is_current(venv)


def test_a_moved_environment_is_outdated(venv: Path, tmp_path: Path) -> None:
    """Its scripts contain the folder in which they were made."""
    assert python.is_current(venv)
    venv.rename(tmp_path / "moved")
    assert not python.is_current(tmp_path / "moved")


def test_an_environment_without_its_python_is_outdated(venv: Path) -> None:
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to("/no/such/python")
    assert not python.is_current(venv)
