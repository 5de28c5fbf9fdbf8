"""The hash of an image's inputs; a builder gets exactly the hashed files."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from artifacts.images.errors import ImageError
from artifacts.images.inputs import Inputs
from tests.artifacts.images.conftest import backend
from tests.support.errors import raises_text


def hashed(project: Path, **build: object) -> str:
    return Inputs.of(backend(build=dict(build)), project).hash


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda at: (at / "main.sh").write_text("other"),
        lambda at: (at / "main.sh").chmod(0o755),
        lambda at: (at / "main.sh").rename(at / "other.sh"),
        lambda at: (at / "src/b.txt").touch(),
        lambda at: (at / "src/link").symlink_to("a.txt"),
        lambda at: (at / "Dockerfile").write_text("FROM scratch\n"),
        lambda at: (at / ".dockerignore").write_text("*.md\n.git\nsrc/left\nsrc/none\n"),
        lambda at: (at / "Dockerfile.dockerignore").write_text("main.sh\n"),
    ],
    ids=["content", "mode", "name", "new file", "link", "Dockerfile", ".dockerignore", "the Dockerfile's own"],
)
def test_relevant_changes_change_the_hash(project: Path, change: Callable[[Path], object]) -> None:
    before = hashed(project)
    change(project / "backend")
    assert hashed(project) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda at: (at / "NOTES.md").write_text("left out"),
        lambda at: os.utime(at / "main.sh", (1, 1)),
        lambda at: (at / "main.sh").chmod(0o600),
        lambda at: (at / "empty").mkdir(),
    ],
    ids=["left out", "time", "umask", "empty folder"],
)
def test_irrelevant_changes_do_not_change_the_hash(project: Path, change: Callable[[Path], object]) -> None:
    before = hashed(project)
    change(project / "backend")
    assert hashed(project) == before


def test_target_and_arguments_change_the_hash_and_their_order_does_not(project: Path) -> None:
    plain = hashed(project)
    assert (
        len({plain, hashed(project, target="a"), hashed(project, args={"A": "1"}), hashed(project, args={"A": "2"})})
        == 4
    )
    assert hashed(project, args={"A": "1", "B": "2"}) == hashed(project, args={"B": "2", "A": "1"})


def test_the_hash_does_not_depend_on_the_folder(project: Path, tmp_path: Path) -> None:
    before = hashed(project)
    assert hashed(project.rename(tmp_path / "elsewhere")) == before


def test_an_ignored_file_may_be_unreadable(project: Path) -> None:
    before = hashed(project)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(project / "backend/src/left"))
        assert hashed(project) == before


def test_a_file_that_cannot_be_in_an_image_is_named(project: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(project / "backend/src/socket"))
        with raises_text(
            ImageError, r"src/socket is a socket, .*\. Fix: leave it out of the build in \.dockerignore\.$"
        ):
            hashed(project)


def test_commit_and_tag_of_a_repository_in_the_context_change_the_hash(project: Path) -> None:
    at = project / "backend"
    (at / ".dockerignore").unlink()
    git(at, "init", "--quiet")
    git(at, "add", ".")
    git(at, "commit", "--quiet", "--message", "one")
    before = hashed(project)
    git(at, "gc", "--quiet")
    git(at, "reflog", "expire", "--all")
    assert hashed(project) == before
    git(at, "tag", "v1")
    tagged = hashed(project)
    git(at, "commit", "--quiet", "--allow-empty", "--message", "two")
    assert len({before, tagged, hashed(project)}) == 3


def test_a_builder_gets_exactly_the_hashed_files(project: Path, tmp_path: Path) -> None:
    (project / "backend/NOTES.md").write_text("left out")
    (project / "backend/link").symlink_to("src/a.txt")
    (tmp_path / "copy").mkdir()
    context, dockerfile = Inputs.of(backend(), project).copy(tmp_path / "copy")
    there = {path.relative_to(context).as_posix() for path in context.rglob("*") if not path.is_dir()}
    assert there == {".dockerignore", "Dockerfile", "link", "main.sh", "src/a.txt"}
    assert (context / "link").is_symlink()
    assert dockerfile.read_text() == "FROM scratch\nCOPY . /app\n"


def test_sources_that_change_while_they_are_read_are_not_built(project: Path, tmp_path: Path) -> None:
    inputs = Inputs.of(backend(), project)
    assert inputs.hash
    (project / "backend/main.sh").write_text("saved just now")
    (tmp_path / "copy").mkdir()
    with raises_text(ImageError, r"backend changed while it was read\. Fix: wait until nothing changes it, then run"):
        inputs.copy(tmp_path / "copy")


def test_a_missing_dockerfile_or_checkout_is_one_sentence(project: Path) -> None:
    fix = r"Fix: run `pulumi config set --path oracle-net:backend\.image\.build\.dockerfile NAME --stack prod`\.$"
    with raises_text(ImageError, rf"The Dockerfile .*other cannot be read\. {fix}"):
        hashed(project, dockerfile="other")
    fix = r"Fix: clone it there; or run `pulumi config set --path oracle-net:backend\.path PATH --stack prod`\.$"
    with raises_text(ImageError, rf"The checkout .*/none of the backend does not exist\. {fix}"):
        hashed(project, context="none")
