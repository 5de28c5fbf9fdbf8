"""Tools, plugins and disk."""

from __future__ import annotations

import os
import shutil
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.doctor import Finding, machine
from cli.engine.plugins import MARK, NAMES
from cli.engine.workspace import located_tools
from tests.unit.doctor.fake import stack
from toolchain import tools

LOCAL, REAL = "http://127.0.0.1:1", "https://api.digitalocean.com"


def plugin(home: Path, name: str, *, offline: bool = False) -> None:
    folder = home / "plugins" / f"resource-{name}-v{metadata.version(f'pulumi-{name}')}"
    folder.mkdir(parents=True)
    (folder / f"pulumi-resource-{name}").touch()
    if offline:
        (folder / MARK).touch()


def plugins(folder: Path, address: str = LOCAL) -> Finding:
    (found,) = machine.plugins(stack(folder, address), {"PULUMI_HOME": str(folder / "home")})
    return found


def broken(monkeypatch: pytest.MonkeyPatch, **places: Path) -> None:
    """The tools as they are, but for these."""
    found = SimpleNamespace(**{**vars(located_tools()), **places})
    monkeypatch.setattr(tools, "locate", lambda: found)


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_tools_of_this_checkout_are_ok(tmp_path: Path) -> None:
    found = list(machine.toolchain(stack(tmp_path, LOCAL)))
    assert [finding.check for finding in found if finding.level == "ok"] == ["engine", "node", "pocketbase", "workerd"]
    assert located_tools().engine_version in found[0].what
    assert {finding.check for finding in machine.toolchain(stack(tmp_path, REAL))} == {"engine"}


def test_missing_tools_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise tools.ToolMissing("The tools have not been installed yet.")

    monkeypatch.setattr(tools, "locate", missing)
    (found,) = machine.toolchain(stack(tmp_path, LOCAL))
    assert (found.level, found.remedy) == ("fail", "make tools")


def test_outdated_tools_are_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "is_current", lambda: False)
    found = list(machine.toolchain(stack(tmp_path, REAL)))[1]
    assert (found.level, found.remedy) == ("warn", "make tools")


@pytest.mark.parametrize(
    "text, told",
    [("#!/bin/sh\nexit 3\n", "status 3"), ("#!/bin/sh\nexec sleep 60\n", "within 0.3 s"), ("", "does not start")],
)
def test_an_engine_that_does_not_start_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    monkeypatch.setattr(machine, "SECONDS", 0.3)
    broken(monkeypatch, engine_bin=program(tmp_path / "bin" / "pulumi", text).parent)
    found = next(iter(machine.toolchain(stack(tmp_path, REAL))))
    assert (found.check, found.level) == ("engine", "fail")
    assert told in found.what


def test_a_missing_workerd_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = program(tmp_path / "bin" / "anything", "#!/bin/sh\necho v1\n")
    program(tmp_path / "bin" / "pulumi", "#!/bin/sh\n")
    broken(monkeypatch, node_modules=tmp_path, node=here, pocketbase=here, engine_bin=here.parent)
    (found,) = [each for each in machine.toolchain(stack(tmp_path, LOCAL)) if each.check == "workerd"]
    assert (found.level, found.remedy) == ("fail", "make tools")


def test_missing_plugins_are_named(tmp_path: Path) -> None:
    found = plugins(tmp_path)
    assert (found.level, found.what) == ("warn", "not installed yet: random, digitalocean, cloudflare")
    assert found.remedy == "oracle up local"
    assert plugins(tmp_path, REAL).remedy == "pulumi install"
    for name in NAMES:
        plugin(tmp_path / "home", name)
    assert plugins(tmp_path).what == "official"


def test_offline_plugins_are_refused_for_the_real_clouds(tmp_path: Path) -> None:
    for name in NAMES:
        plugin(tmp_path / "home", name, offline=True)
    assert (plugins(tmp_path).level, plugins(tmp_path).what) == ("ok", "offline plugins")
    found = plugins(tmp_path, REAL)
    assert found.level == "fail"
    assert found.remedy.startswith("pulumi plugin rm resource random")


@pytest.mark.parametrize("free, level", [(1e11, "ok"), (1e9, "warn"), (1e8, "fail")])
def test_low_disk_space_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, level: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    found = list(machine.disk(stack(tmp_path, LOCAL), os.environ))
    assert {finding.level for finding in found} == {level}
    assert {finding.what for finding in found} == {
        f"{free / 1e9:.1f} GB free for {what}" for what in ("the project", "temporary files")
    }


def test_a_missing_temporary_folder_is_reported(tmp_path: Path) -> None:
    found = list(machine.disk(stack(tmp_path, LOCAL), {"TMPDIR": str(tmp_path / "gone")}))[1]
    assert found.level == "fail"
    assert "temporary files" in found.what
