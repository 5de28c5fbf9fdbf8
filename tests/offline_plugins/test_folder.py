"""The installation of the offline plugins in a Pulumi home."""

from __future__ import annotations

import sys
from pathlib import Path

from offline_plugins import VERSIONS, install

PYTHON = Path(sys.executable)


def _executables(home: Path) -> list[Path]:
    return sorted((home / "plugins").glob("resource-*/pulumi-resource-*"))


def test_all_plugins_are_installed_where_the_engine_looks(tmp_path: Path) -> None:
    install(tmp_path, PYTHON)
    assert [path.parent.name for path in _executables(tmp_path)] == [
        f"resource-{name}-v{VERSIONS[name]}" for name in sorted(VERSIONS)
    ]
    for path in _executables(tmp_path):
        assert path.stat().st_mode & 0o111 == 0o111
        assert not path.parent.is_symlink()
        assert str(PYTHON) in path.read_text()


def test_a_second_installation_leaves_no_extra_folder(tmp_path: Path) -> None:
    install(tmp_path, PYTHON)
    install(tmp_path, Path("/elsewhere/python"))
    assert len(list((tmp_path / "plugins").iterdir())) == len(VERSIONS)
    assert all("/elsewhere/python" in path.read_text() for path in _executables(tmp_path))


def test_an_installed_plugin_is_not_replaced(tmp_path: Path) -> None:
    install(tmp_path, PYTHON, ["random"])
    (executable,) = _executables(tmp_path)
    before = executable.stat()
    (executable.parent / "mark").touch()
    install(tmp_path, PYTHON, ["random"])
    assert executable.stat().st_ino == before.st_ino
    assert (executable.parent / "mark").exists()


def test_a_linked_or_broken_folder_is_replaced(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "plugins").mkdir()
    folder = tmp_path / "plugins" / f"resource-random-v{VERSIONS['random']}"
    folder.symlink_to(elsewhere)
    install(tmp_path, PYTHON, ["random"])
    assert not folder.is_symlink()
    (folder / "pulumi-resource-random").chmod(0o644)
    install(tmp_path, PYTHON, ["random"])
    assert (folder / "pulumi-resource-random").stat().st_mode & 0o111
