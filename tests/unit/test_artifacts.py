"""Fingerprints depend on names, contents and executable bits, and on nothing else."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from artifacts import contents, modules
from artifacts.contents import ArtifactError
from tests.support.errors import raises_text

SMALLER = r"Fix: reduce its size, then run `oracle build --stack prod`\.$"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    (folder / "entrypoint.sh").write_text("#!/bin/sh\n")
    (folder / "entrypoint.sh").chmod(0o755)
    (folder / "sub" / "data.txt").write_text("data\n")
    return folder


def digest(folder: Path, *command: str) -> str:
    return contents.image_digest(contents.pack_image(folder, command or ["./entrypoint.sh"]))


def test_the_digest_of_an_image_does_not_depend_on_place_or_time(source: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    (other / "sub").mkdir(parents=True)
    (other / "sub" / "data.txt").write_text("data\n")
    (other / "entrypoint.sh").write_text("#!/bin/sh\n")
    (other / "entrypoint.sh").chmod(0o700)
    os.utime(other / "entrypoint.sh", (1, 1))
    assert digest(source) == digest(other)


@pytest.mark.parametrize("ignored", ["pb_data", ".git", "node_modules", "__pycache__"])
def test_generated_folders_are_not_part_of_the_image(source: Path, ignored: str) -> None:
    before = digest(source)
    (source / ignored).mkdir()
    (source / ignored / "file").write_text("left")
    assert digest(source) == before


@pytest.mark.parametrize("name", [".env", ".env.local", ".envrc", ".dev.vars", "lib/.env"])
def test_files_with_secrets_are_not_part_of_the_image(source: Path, name: str) -> None:
    before = digest(source)
    (source / name).parent.mkdir(exist_ok=True)
    (source / name).write_text("PB_ADMIN_PASSWORD=planted")
    assert digest(source) == before
    (source / f"{name}.example").write_text("PB_ADMIN_PASSWORD=")
    assert digest(source) != before


def test_every_relevant_change_changes_the_digest_of_the_image(source: Path) -> None:
    seen = {digest(source), digest(source, "./other.sh")}
    (source / "entrypoint.sh").chmod(0o644)
    seen.add(digest(source))
    (source / "sub" / "data.txt").write_text("other\n")
    seen.add(digest(source))
    (source / "sub" / "data.txt").rename(source / "sub" / "renamed.txt")
    seen.add(digest(source))
    assert len(seen) == 5


def test_an_image_contains_its_command_and_its_files(source: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(contents.pack_image(source, ["./entrypoint.sh"]))) as tar:
        entries = {entry.name: entry for entry in tar}
    assert list(entries) == ["config.json", "rootfs/entrypoint.sh", "rootfs/sub/data.txt"]
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) for entry in entries.values()} == {
        (0, 0, 0, "", "")
    }
    assert entries["rootfs/entrypoint.sh"].mode == 0o755
    assert entries["rootfs/sub/data.txt"].mode == 0o644


def test_a_very_long_file_name_is_packed(source: Path) -> None:
    long = "/".join(["x" * 90] * 4)
    (source / long).parent.mkdir(parents=True)
    (source / long).write_text("deep")
    with tarfile.open(fileobj=io.BytesIO(contents.pack_image(source, ["x"]))) as tar:
        content = tar.extractfile(f"rootfs/{long}")
        assert content is not None
        assert content.read() == b"deep"


def test_a_file_with_the_name_of_an_ignored_folder_is_packed(source: Path) -> None:
    before = digest(source)
    (source / "pb_data").write_text("a file")
    assert digest(source) != before


def test_assets_are_staged_without_the_rule_files(source: Path, tmp_path: Path) -> None:
    (source / "_headers").write_text("/*\n  X: y\n")
    (source / ".assetsignore").write_text("x\n")
    stage = tmp_path / ".oracle" / "stage" / "site"
    staged = contents.stage_assets(source, stage, tmp_path)
    assert staged.directory == ".oracle/stage/site"
    assert (staged.headers, staged.redirects) == ("/*\n  X: y\n", None)
    assert sorted(path.name for path in stage.rglob("*") if path.is_file()) == ["data.txt", "entrypoint.sh"]


def test_staging_again_restores_missing_files(source: Path, tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    first = contents.stage_assets(source, stage, tmp_path)
    (stage / "sub" / "data.txt").unlink()
    assert contents.stage_assets(source, stage, tmp_path) == first
    assert (stage / "sub" / "data.txt").read_text() == "data\n"


def test_a_removed_asset_is_removed_from_the_stage(source: Path, tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    first = contents.stage_assets(source, stage, tmp_path)
    (source / "sub" / "data.txt").unlink()
    assert contents.stage_assets(source, stage, tmp_path).digest != first.digest
    assert not (stage / "sub" / "data.txt").exists()


def test_a_changed_rule_changes_the_fingerprint(source: Path, tmp_path: Path) -> None:
    before = contents.stage_assets(source, tmp_path / "stage", tmp_path).digest
    (source / "_redirects").write_text("/a /b\n")
    assert contents.stage_assets(source, tmp_path / "stage", tmp_path).digest != before


def test_a_too_large_asset_is_refused(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "ASSET_LIMIT", 3)
    with raises_text(ArtifactError, rf"larger than Cloudflare's limit .*\. {SMALLER}"):
        contents.stage_assets(source, tmp_path / "stage", tmp_path)
    assert not (tmp_path / "stage").exists()


def test_an_invalid_module_is_refused_with_its_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = tmp_path / "worker.js"
    with raises_text(ArtifactError, r"worker\.js does not exist\. Fix: run `oracle build --stack prod`\.$"):
        modules.read_module(entry)
    entry.write_text("export default {}")
    assert modules.read_module(entry) == "export default {}"
    monkeypatch.setattr(modules, "SCRIPT_LIMIT", 3)
    with raises_text(ArtifactError, SMALLER):
        modules.read_module(entry)
    monkeypatch.undo()
    entry.write_bytes(b"\xff\xfe")
    with pytest.raises(ArtifactError, match="not UTF-8"):
        modules.read_module(entry)


def test_the_error_of_a_missing_module_suggests_a_file_beside_it(tmp_path: Path) -> None:
    for name in ("worker.js", "worker.js.map", "README.md"):
        (tmp_path / name).touch()
    fix = r"Fix: set the Worker's `entry` to that; or run `oracle build --stack prod`\.$"
    with raises_text(ArtifactError, rf"does not exist\. Its folder has worker\.js\. {fix}"):
        modules.read_module(tmp_path / "index.js")


def test_an_empty_or_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="does not exist"):
        contents.pack_image(tmp_path / "nowhere", ["x"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match="is empty"):
        contents.pack_image(tmp_path / "empty", ["x"])


def test_the_commit_of_a_source_is_marked_when_it_is_dirty(source: Path) -> None:
    assert contents.source_commit(source) == ""
    git = ["git", "-C", str(source), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *arguments], check=True)
    commit = contents.source_commit(source)
    assert len(commit) == 40
    (source / "sub" / "data.txt").write_text("changed")
    assert contents.source_commit(source) == f"{commit}-dirty"
    assert contents.source_commit(source / "sub") == f"{commit}-dirty"
