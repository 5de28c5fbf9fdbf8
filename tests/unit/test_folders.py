"""Source folders are read whole, or refused in one sentence with the path; only one module reads them."""

from __future__ import annotations

import ast
import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artifacts.contents import pack_image, stage_assets
from artifacts.folders import ArtifactError, SourceFile, read_file, shown, source_files
from artifacts.modules import read_module
from tests.support.errors import raises_text, shown_text
from tests.support.sources import PROJECT, text, tree

PROGRAM = (
    "artifacts",
    "cli",
    "components",
    "lifecycle",
    "localcloud",
    "offline_plugins",
    "repositories",
    "settings",
    "site_rules.py",
    "sources",
    "storage",
    "toolchain",
)
LISTING = frozenset({"copytree", "fwalk", "glob", "iglob", "iterdir", "listdir", "rglob", "scandir", "walk"})
CALL = re.compile(rf"\b(?:{'|'.join(LISTING)})\b")
"""What a text has in it somewhere that lists a folder; to read the others as Python takes seconds."""
# What lists folders by itself, and why it may: none of these is a source folder.
MAY_LIST = {
    "artifacts/folders.py": "the one way into source folders",
    "storage/backups/files.py": "its own scratch folder",
    "storage/backups/folder.py": "its own store",
    "artifacts/images/builder.py": "docker's own folder, for all but its logins",
    "artifacts/images/inputs.py": "a build's context, links kept as links, as builders take it",
    "localcloud/cloudflare/blobs.py": "its own state",
    "localcloud/digitalocean/runtime.py": "its own state",
    "localcloud/images.py": "what a build of the local cloud has made, links kept as links",
    "artifacts/addresses.py": "a checkout's sources, to say where an address comes from",
    "localcloud/registry.py": "its own unpacked images",
    "offline_plugins/cloudflare/assets.py": "the staged copy, walked as the official provider does",
    "cli/completion.py": "stacks' files and runs",
    "cli/doctor/stack_checks.py": "the engine's locks",
    "cli/engine/recover.py": "the engine's locks",
    "cli/runs/store.py": "runs",
    "cli/engine/workspace.py": "stacks' files",
    "storage/releases/cache.py": "its own cache",
    "settings/other_stacks.py": "stacks' files",
    "toolchain/cache.py": "its own cache",
    "toolchain/lock.py": "its own pins",
}


def everything(_name: str, _folder: bool) -> bool:
    return False


def names(folder: Path) -> list[str]:
    return [file.name for file in source_files(folder, everything)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "source"
    (made / "sub").mkdir(parents=True)
    (made / "b.txt").write_text("b")
    (made / "sub" / "a.txt").write_text("a")
    return made


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path may have 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


STRANGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "link to nowhere": (
        lambda path: path.symlink_to("gone"),
        "is a link to gone, which does not exist. Fix: remove the link.",
    ),
    "link to itself": (lambda path: path.symlink_to(path.name), "cannot be read (too many levels of symbolic links)"),
    "link to its folder": (lambda path: path.symlink_to("."), "is a link to a folder that contains it"),
    "link to a folder above": (lambda path: path.symlink_to("/"), "is a link to a folder that contains it"),
    "named pipe": (fifo, "is a named pipe, but only a regular file can be deployed. Fix: remove it."),
    "socket": (unix_socket, "is a socket, but only a regular file can be deployed. Fix: remove it."),
    "device": (lambda path: path.symlink_to(os.devnull), "is a device, but only a regular file can be deployed"),
}


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("place", ["odd", "sub/odd"])
def test_a_file_that_cannot_be_deployed_is_named(folder: Path, kind: str, place: str) -> None:
    make, sentence = STRANGE[kind]
    make(folder / place)
    for read in (names, lambda source: pack_image(source, ["x"]), lambda source: stage(source)):
        with pytest.raises(ArtifactError) as caught:
            read(folder)
        assert shown_text(caught.value).startswith(f"{folder / place} ")
        assert sentence in shown_text(caught.value)


def stage(source: Path) -> object:
    return stage_assets(source, source.parent / "stage", source.parent)


@pytest.mark.parametrize(
    "kind", [kind for kind in STRANGE if kind not in ("link to its folder", "link to a folder above")]
)
def test_a_module_that_is_not_a_file_is_named(folder: Path, kind: str) -> None:
    make, sentence = STRANGE[kind]
    make(folder / "worker.js")
    with pytest.raises(ArtifactError) as caught:
        read_module(folder / "worker.js")
    assert f"{folder / 'worker.js'} {sentence}" in shown_text(caught.value)


def test_a_cycle_of_two_links_is_refused(folder: Path) -> None:
    (folder / "one").mkdir()
    (folder / "two").mkdir()
    (folder / "one" / "there").symlink_to("../two")
    (folder / "two" / "back").symlink_to("../one")
    with pytest.raises(ArtifactError, match=r"one/there/back is a link to a folder that contains it"):
        names(folder)


def test_links_are_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c.txt").write_text("c")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "d.txt").symlink_to("b.txt")
    assert names(folder) == ["b.txt", "d.txt", "linked/c.txt", "sub/a.txt"]


def test_a_name_that_is_not_utf_8_is_refused(folder: Path) -> None:
    try:
        (folder / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(ArtifactError, match=r"The name of .*/caf\\xe9\.txt is not UTF-8"):
        names(folder)


def test_ignored_files_may_be_of_any_kind(folder: Path) -> None:
    (folder / ".#b.txt").symlink_to("nobody@nowhere")
    os.mkfifo(folder / "pipe")
    (folder / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    left = source_files(folder, lambda name, _: not name.endswith(("b.txt", "a.txt")) or name.startswith("."))
    assert [file.name for file in left] == ["b.txt"]


def test_the_filter_is_called_once_for_each_file_and_folder(folder: Path) -> None:
    asked: list[tuple[str, bool]] = []

    def left_out(name: str, is_folder: bool) -> bool:
        asked.append((name, is_folder))
        return False

    source_files(folder, left_out)
    assert asked == [("b.txt", False), ("sub", True), ("sub/a.txt", False)]


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that another user may enter: root reads everything, whatever its mode."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        user = os.geteuid()
        if user == 0:
            os.chown(made, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(made)
        finally:
            os.seteuid(user)


def test_an_unreadable_file_is_named(reachable: Path) -> None:
    (reachable / "secret.txt").write_text("x")
    (reachable / "secret.txt").chmod(0)
    text = r"secret\.txt is not readable for this user\. Fix: run `chmod u\+rX .*secret\.txt`\.$"
    with raises_text(ArtifactError, text):
        pack_image(reachable, ["x"])
    (reachable / "secret.txt").chmod(0o600)
    (reachable / "closed").mkdir(mode=0)
    with pytest.raises(ArtifactError, match=r"/closed is not readable for this user"):
        names(reachable)
    with pytest.raises(ArtifactError, match=r"/closed/worker\.js is not readable for this user"):
        read_module(reachable / "closed" / "worker.js")
    (reachable / "closed").rmdir()


def test_a_file_that_disappears_while_it_is_read_is_named(folder: Path) -> None:
    (listed,) = (file for file in source_files(folder, everything) if file.name == "b.txt")
    (folder / "b.txt").unlink()
    with raises_text(
        ArtifactError, r"b\.txt was deleted while it was read\. Fix: wait until its build has ended, then"
    ):
        listed.read()


def test_a_site_that_changes_during_staging_is_not_staged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = iter([b"one", b"two", b"three", b"four"])
    monkeypatch.setattr(SourceFile, "read", lambda _: next(contents))
    with raises_text(
        ArtifactError, r"b\.txt changed while it was read\. Fix: wait until its build has ended, then run"
    ):
        stage(folder)
    assert not (folder.parent / "stage").exists()


def test_a_path_is_shown_on_one_line() -> None:
    assert shown(Path("a\nb\x1b")) == r"a\nb\x1b"
    assert read_file(Path(__file__)) == Path(__file__).read_bytes()


def listings(path: Path) -> set[str]:
    """The calls in a file that list a folder."""
    if not CALL.search(text(path)):
        return set()
    calls = (node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call))
    named = {ast.unparse(call) for call in calls if isinstance(call, ast.Attribute) and call.attr in LISTING}
    return named - {"ast.walk"}


def test_no_other_module_lists_a_source_folder() -> None:
    files = [
        path
        for part in PROGRAM
        for path in ([PROJECT / part] if part.endswith(".py") else (PROJECT / part).rglob("*.py"))
    ]
    found = {path.relative_to(PROJECT).as_posix() for path in files if listings(path)}
    assert found == set(MAY_LIST)
