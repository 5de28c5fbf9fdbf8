"""The build of the engine, with a script in place of Go: its commands, its progress, its cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.toolchain.conftest import Program
from toolchain import cache, golang, modules, pins, python
from toolchain.errors import DiskFull, ToolError
from toolchain.progress import Step

# Answers as Go does; a build writes its program, its environment and its arguments.
GO = """
echo "$PWD $*" >> "$GO_LOG"
case "$*" in
version) echo "go version go{version} linux/amd64";;
*"list -deps"*) echo one; echo two; echo three;;
*"list -m -json"*) echo '{{"Dir": "{sdk}"}}';;
build*)
    mkdir -p "$GOMODCACHE/read-only" && chmod 555 "$GOMODCACHE/read-only"
    echo "go: downloading github.com/a/b v1.0.0"; echo one; echo two
    for word in "$@"; do [ "$last" = -o ] && echo "$CGO_ENABLED $GOTOOLCHAIN $GOFLAGS" > "$word"; last=$word; done
    {build};;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "scratch" / "made"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GOMODCACHE", "GOCACHE", "GOFLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(modules, "ROOM", 0)
    monkeypatch.setenv("GO_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'go'}:/usr/bin:/bin")
    return tmp_path / "log"


@pytest.fixture
def sdk(tmp_path: Path) -> Path:
    for script in modules.SCRIPTS:
        file = tmp_path / "sdk" / script
        file.parent.mkdir(parents=True)
        file.write_text("script")
        file.chmod(0o444)
    return tmp_path / "sdk"


def play(program: Program, sdk: Path, tmp_path: Path, version: str = "1.99.0", build: str = "true") -> Path:
    return program(tmp_path / "go" / "go", GO.format(version=version, sdk=sdk, build=build))


def test_both_programs_and_both_scripts_are_built(
    program: Program, folder: Path, log: Path, sdk: Path, tmp_path: Path
) -> None:
    play(program, sdk, tmp_path)
    modules.build(folder)
    assert sorted(file.name for file in folder.iterdir()) == [
        "pulumi",
        "pulumi-language-python",
        "pulumi-language-python-exec",
        "pulumi-resource-pulumi-python",
    ]
    assert (folder / "pulumi").read_text() == "0 local -mod=readonly -modcacherw -buildvcs=false\n"
    assert (folder / "pulumi-language-python-exec").stat().st_mode & 0o777 == 0o755
    asked = log.read_text()
    assert f"{pins.ENGINE_MOD} build -v -ldflags -s -w -X " in asked
    assert f"Version=v{pins.ENGINE} -o {folder / 'pulumi'} {pins.ENGINE_MODULE}\n" in asked
    assert f"{pins.LANGHOST_MOD} build " in asked
    assert not (cache.root() / "go-build").exists()


def test_a_build_that_ends_leaves_the_downloads_to_another_one(
    program: Program, folder: Path, log: Path, sdk: Path, tmp_path: Path
) -> None:
    play(program, sdk, tmp_path)
    other = tmp_path / "other scratch"
    other.mkdir()
    with golang.go(other) as tool:
        modules.build(folder)
        assert (Path(tool.env["GOMODCACHE"]) / "read-only").is_dir()
    assert not (cache.root() / "go-build").exists()


def test_downloads_of_a_failed_build_are_reused_by_the_next_one(
    program: Program, folder: Path, log: Path, sdk: Path, tmp_path: Path
) -> None:
    play(program, sdk, tmp_path, build="echo connection reset; exit 1")
    with pytest.raises(ToolError, match="building pulumi failed with status 1"):
        modules.build(folder)
    assert (cache.root() / "go-build" / "modules" / "read-only").is_dir()


def test_a_disk_that_fills_up_during_the_build_is_reported(
    program: Program, folder: Path, log: Path, sdk: Path, tmp_path: Path
) -> None:
    play(program, sdk, tmp_path, build="echo 'copying: write: no space left on device'; exit 1")
    with pytest.raises(DiskFull) as told:
        modules.build(folder)
    assert str(cache.root()) in told.value.problem


def test_the_users_own_go_cache_is_used_and_not_removed(
    program: Program, folder: Path, log: Path, sdk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "mine"))
    play(program, sdk, tmp_path)
    modules.build(folder)
    assert (tmp_path / "mine" / "read-only").is_dir()


@pytest.mark.parametrize("version,own", [("1.25.11", True), ("1.25.9", False)])
def test_an_old_go_is_not_used(
    version: str,
    own: bool,
    program: Program,
    folder: Path,
    log: Path,
    sdk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unpack(name: str, target: Path) -> None:
        assert name == "go"
        program(target / "go" / "bin" / "go", "exit 0")

    monkeypatch.setattr(python, "install_wheel", unpack)
    theirs = play(program, sdk, tmp_path, version)
    with golang.go(folder.parent) as tool:
        assert (tool.program == theirs) is own


def test_the_progress_counts_modules_and_packages(
    program: Program, folder: Path, log: Path, sdk: Path, tmp_path: Path
) -> None:
    play(program, sdk, tmp_path)
    step = Step("the engine")
    with golang.go(folder.parent) as tool:
        counter = modules._Counter(step, "pulumi", tool, pins.ENGINE_MOD, pins.ENGINE_MODULE)
        counter.line("go: downloading github.com/a/b v1.0.0")
        assert step.detail == "pulumi, 1 modules downloaded"
        counter.line("github.com/a/b")
        counter.line("github.com/a/b/c")
        assert step.detail == "pulumi, package 2 of at most 3"
