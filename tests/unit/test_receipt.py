"""A stack with a receipt: the program deploys the named bytes, wherever they are, and refuses all others."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pulumi
import pytest

from artifacts.contents import image_digest
from components.pushed_image import ImageProvider
from errors import Remedy, UserError
from storage.releases import items, named, place
from storage.releases.store import ReleaseStore
from tests.support.owners import owner
from tests.support.stub_server import Reply, StubServer
from tests.unit import program


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with checkouts of its own."""
    folder = tmp_path / "oracle"
    (folder / "components").parent.mkdir()
    for name in ("web", "universe", "api", "backend"):
        shutil.copytree(
            program.PROJECT / "services" / name, folder / "services" / name, ignore=shutil.ignore_patterns("pb_data")
        )
    with (folder / "services/api/src/worker.js").open("ab") as file:
        file.write(b"// the line ends of one editor of the team\r\n")
    monkeypatch.chdir(folder)
    return folder


def config(receipt: dict[str, Any] | None = None, stack: str = "local") -> dict[str, str]:
    found = program.config_of(stack)
    return {**found, "oracle-net:receipt": json.dumps(receipt)} if receipt else found


def change(project: Path) -> None:
    """Another version of everything, with the line ends that one editor of the team uses."""
    for name in ("backend/entrypoint.sh", "api/src/worker.js", "universe/public/index.html", "web/public/_headers"):
        with (project / "services" / name).open("ab") as file:
            file.write(b"\r\n# another\r\n" if not name.endswith(".js") else b"\r\n// another\r\n")


def deployed(run: program.Run) -> dict[str, Any]:
    """What a run declares, as bytes and digests."""
    found: dict[str, Any] = {
        name: program.plain(run.one(f"{name}-script").inputs["content"]) for name in ("api", "web", "universe")
    }
    for name in ("web", "universe"):
        assets = program.plain(run.one(f"{name}-script").inputs["assets"])
        folder = Path(assets["directory"])
        found[f"{name}'s files"] = {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }
        found[f"{name}'s rules"] = (assets["config"].get("headers"), assets["config"].get("redirects"))
    found["image"] = program.plain(run.one("backend-app").inputs["spec"])["services"][0]["image"]["digest"]
    return found


def moved_to_the_store(project: Path, release: dict[str, Any]) -> ReleaseStore:
    """The bytes are in the stack's store alone, as for whoever has just cloned the project."""
    from storage.backups import Folder

    keep = ReleaseStore(Folder(project / ".oracle/backups"), owner("unit"))
    for item in items(named(release), packed=True):
        keep.put(item, place(project, item))
    shutil.rmtree(project / ".oracle/releases")
    return keep


def test_a_receipt_deploys_the_same_bytes_after_the_checkout_changed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = program.run(config())
    before, release = deployed(first), first.outputs["release"]
    change(project)
    without = program.run(config())
    assert all(deployed(without)[name] != before[name] for name in ("api", "universe's files", "web's rules", "image"))
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", said.append)
    with_receipt = program.run(config(release))
    assert deployed(with_receipt) == before
    (line,) = said
    for digest in (release["backend"].removeprefix("sha256:"), release["workers"]["api"], release["assets"]["web"]):
        assert re.search(rf"\w{{12}} in this checkout, {digest[:12]} in the receipt", line)
    assert "web's code" not in line
    assert with_receipt.outputs["release"] == release


def test_missing_bytes_are_fetched_from_the_backup_store(project: Path) -> None:
    first = program.run(config())
    before, release = deployed(first), first.outputs["release"]
    change(project)
    moved_to_the_store(project, release)
    assert deployed(program.run(config(release))) == before
    assert all(place(project, item).is_file() for item in items(named(release), packed=True))


def test_a_stack_with_a_receipt_needs_no_checkout(project: Path) -> None:
    first = program.run(config())
    before, release = deployed(first), first.outputs["release"]
    shutil.rmtree(project / "services")
    assert deployed(program.run(config(release))) == before


def test_bytes_that_the_checkout_builds_need_no_release_archive(project: Path) -> None:
    release = program.run(config()).outputs["release"]
    shutil.rmtree(project / ".oracle")
    assert program.run(config(release)).outputs["release"] == release


def test_other_bytes_are_refused_for_each_service(project: Path) -> None:
    release = program.run(config()).outputs["release"]
    release["commits"] = {**release["commits"], "api": "c" * 40}
    change(project)
    shutil.rmtree(project / ".oracle")
    with pytest.raises(pulumi.RunError) as caught:
        program.run(config(release))
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith("The release that the receipt names cannot be deployed: backend's image: ")
    assert "api's code: " in said
    api = f"{release['workers']['api'][:12]} (commit ccccccc) in the receipt"
    assert f"{api}, which is not stored in folder:.oracle/backups" in said
    assert f"{release['assets']['web'][:12]}" in said
    assert "web's code" not in said  # that is the same
    assert said.endswith(
        "Fix: run `oracle promote FROM unit` to write the receipt again; or run `pulumi config rm oracle-net:receipt "
        "--stack unit`."
    )


def test_damaged_bytes_are_fetched_again_or_refused(project: Path) -> None:
    first = program.run(config())
    before, release = deployed(first), first.outputs["release"]
    change(project)
    keep = moved_to_the_store(project, release)
    program.run(config(release))
    for item in items(named(release), packed=True):
        place(project, item).write_bytes(b"damaged")
    assert deployed(program.run(config(release))) == before
    for item in items(named(release), packed=True):
        place(project, item).unlink()
        if item.kind != "image":
            (keep.store.root / keep._name(item)).write_bytes(b"damaged")  # type: ignore[attr-defined]
    with pytest.raises(
        pulumi.RunError, match=r"api's code: .* which cannot be fetched \(.* the module of api .* are damaged"
    ):
        program.run(config(release))


def test_a_preview_writes_no_release_archive(project: Path) -> None:
    program.run(config(), preview=True)
    assert not (project / ".oracle/releases").exists()


def test_an_image_of_a_registry_is_pinned_in_one_place_only(project: Path, tmp_path: Path) -> None:
    for name, file in (
        ("oracle-universe-api", "dist/worker.js"),
        ("oracle-net-web", "dist/i"),
        ("oracle-universe-web", "dist/i"),
    ):
        path = tmp_path / name / file
        path.parent.mkdir(parents=True)
        path.write_text("export default {}\n")
    release = program.run(config(stack="prod")).outputs["release"]
    run = program.run(config(release, stack="prod"))
    assert run.outputs["release"] == release
    other = {**release, "backend": f"sha256:{'d' * 64}"}
    with pytest.raises(pulumi.RunError) as caught:
        program.run(config(other, stack="prod"))
    assert "backend is 111111111111 in oracle-net:backend.image.digest and dddddddddddd in the receipt" in str(
        caught.value
    )


@pytest.mark.parametrize(
    "key, value",
    [
        ("backend", "842c"),
        ("workers", {"api": "0" * 64}),
        ("assets", {"web": "x" * 64, "universe": "0" * 64}),
        ("more", 1),
    ],
)
def test_an_invalid_receipt_is_refused(key: str, value: Any) -> None:
    release = program.run(config()).outputs["release"]
    with pytest.raises(pulumi.RunError, match=rf"oracle-net:receipt\.{key}"):
        program.run(config({**release, key: value}))


def test_the_release_archive_is_written_after_the_release_runs() -> None:
    run = program.run(config())
    (kept,) = run.of("pulumi-python:dynamic:ReleaseArchive")
    known = program.plain(kept.inputs)
    assert known["release"] == run.outputs["release"]
    assert (known["packed"], known["count"], known["backup_config"]["owner"]) == (True, 10, str(owner("unit")))
    assert "key" not in known["backup_config"]


def test_the_image_of_a_receipt_is_pushed_from_the_archive(project: Path) -> None:
    release = program.run(config()).outputs["release"]
    props = program.plain(program.run(config(release)).one("backend-image").inputs)
    change(project)
    with StubServer(lambda _: Reply()) as store:
        props = {**props, "store": store.url}
        ImageProvider().create(props)
        [pushed] = store.requests
        assert image_digest(pushed.body) == release["backend"] == props["digest"]
        shutil.rmtree(project / ".oracle")
        with pytest.raises(UserError, match="services/backend changed while it was being pushed") as caught:
            ImageProvider().create(props)
        assert caught.value.helps == (Remedy.RETRY,)
        assert store.requests == [pushed]
