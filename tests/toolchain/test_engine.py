"""The choice of the engine: the user's own, Pulumi's release, or a build from its Go modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.toolchain.conftest import Program
from toolchain import cache, engine, installer, modules, pins, platforms
from toolchain.errors import ToolError, Unreachable


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on PATH, with only the system's own programs behind it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def put(folder: Path, program: Program, version: str = "v3.260.1") -> None:
    program(folder / "pulumi", f"echo {version}")
    for name in engine.PROGRAMS[1:]:
        program(folder / name, "exit 0")


@pytest.fixture
def sources(program: Program, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Releases that cannot be reached and modules that build at once; gives the order in which they are asked."""
    asked: list[str] = []

    def download(_folder: Path, _platform: platforms.Platform, _releases: str = "") -> None:
        asked.append("installer")
        raise Unreachable("its name is not known here")

    def build(folder: Path) -> None:
        asked.append("modules")
        put(folder, program, f"v{pins.ENGINE}")

    monkeypatch.setattr(installer, "download", download)
    monkeypatch.setattr(modules, "build", build)
    return asked


def test_a_recent_and_complete_engine_on_path_is_used(path: Path, program: Program, sources: list[str]) -> None:
    put(path, program)
    assert engine.ensure() == engine.Engine(path, "3.260.1", "path")
    assert sources == []


def test_an_engine_linked_from_its_own_folder_is_used(path: Path, program: Program, tmp_path: Path) -> None:
    """Package managers link only the command."""
    put(tmp_path / "cellar", program)
    (path / "pulumi").symlink_to(tmp_path / "cellar" / "pulumi")
    assert engine.ensure() == engine.Engine(tmp_path / "cellar", "3.260.1", "path")


@pytest.mark.parametrize(
    "version,said", [("v3.237.0", "3.237.0; 3.238.0 or later is needed"), ("broken", "not to be run")]
)
def test_an_old_or_broken_engine_is_not_used(
    version: str, said: str, path: Path, program: Program, sources: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    put(path, program, version)
    assert engine.ensure().source == "modules"
    assert said in capsys.readouterr().err


def test_an_engine_without_the_python_language_host_is_not_used(
    path: Path, program: Program, sources: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    program(path / "pulumi", "echo v3.260.1")
    assert engine.ensure().source == "modules"
    assert "has no pulumi-language-python beside it" in capsys.readouterr().err


def test_the_caches_own_engine_on_path_does_not_count_as_the_users(
    path: Path, program: Program, sources: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`oracle env` puts it on PATH; the record must not point into the cache, which may be removed."""
    own = cache.root() / "engine-old"
    put(own, program)
    monkeypatch.setenv("PATH", f"{own}:/usr/bin:/bin")
    assert engine.from_path() is None


def test_a_release_is_preferred_to_a_build(
    path: Path, program: Program, sources: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installer, "download", lambda folder, _: put(folder, program, f"v{pins.ENGINE}"))
    found = engine.ensure()
    assert (found.source, found.version, found.folder.parent) == ("installer", pins.ENGINE, cache.root())
    assert sources == []


def test_unreachable_releases_are_reported_once_and_not_tried_again(
    path: Path, sources: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert engine.ensure().source == "modules"
    assert capsys.readouterr().err.count("\n") == 1
    assert engine.ensure().source == "modules"
    assert sources == ["installer", "modules"]
    assert capsys.readouterr().err == ""


def test_a_wrong_checksum_is_an_error(path: Path, sources: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def download(_folder: Path, _platform: platforms.Platform) -> None:
        raise ToolError("does not have the checksum")

    monkeypatch.setattr(installer, "download", download)
    with pytest.raises(ToolError, match="checksum"):
        engine.ensure()
    assert sources == []


@pytest.mark.parametrize("lacking", engine.PROGRAMS[1:])
def test_an_incomplete_engine_is_not_installed(
    lacking: str, path: Path, program: Program, sources: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(folder: Path) -> None:
        put(folder, program, f"v{pins.ENGINE}")
        (folder / lacking).unlink()

    monkeypatch.setattr(modules, "build", build)
    with pytest.raises(ToolError, match=f"lacks {lacking}\\."):
        engine.ensure()
    assert not list(cache.root().glob("engine-*"))


def test_an_engine_of_another_version_is_not_installed(
    path: Path, program: Program, sources: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules, "build", lambda folder: put(folder, program, "v3.1.0"))
    with pytest.raises(ToolError, match=r"is version 3\.1\.0"):
        engine.ensure()


@pytest.mark.parametrize("only,source", [("modules", "modules"), ("path", "path")])
def test_the_source_can_be_chosen(
    only: str, source: str, path: Path, program: Program, sources: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path, program)
    monkeypatch.setenv("ORACLE_ENGINE", only)
    assert engine.ensure().source == source


@pytest.mark.parametrize(
    "only,said",
    [("path", "PATH has no Pulumi"), ("installer", "cannot be used"), ("brew", "it may be path, installer")],
)
def test_a_chosen_source_without_an_engine_is_an_error(
    only: str, said: str, path: Path, sources: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORACLE_ENGINE", only)
    with pytest.raises(ToolError, match=said):
        engine.ensure()
    assert "modules" not in sources


def test_too_little_disk_space_is_reported_before_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "ROOM", 1 << 60)
    with pytest.raises(ToolError, match="building the engine needs"):
        modules.build(tmp_path)
