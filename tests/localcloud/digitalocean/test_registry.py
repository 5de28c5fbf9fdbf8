"""Apps with an image in a registry on this machine: pulled by digest, unpacked as a root folder, and started."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from localcloud.images import ImageError, ImageStore
from localcloud.store import Store
from tests.localcloud.account import PROGRAM, REPOSITORY, Account, Json
from tests.support.scripted import Reply, Scripted, scripted

Entry = tuple[tarfile.TarInfo, bytes]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def file(name: str, text: str = "", mode: int = 0o755) -> Entry:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(text.encode()), mode
    return member, text.encode()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Entry:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def folder(name: str) -> Entry:
    member = tarfile.TarInfo(name)
    member.type = tarfile.DIRTYPE
    return member, b""


def layer(entries: Sequence[Entry]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member, content in entries:
            tar.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return gzip.compress(buffer.getvalue())


@dataclass
class Hub:
    """A registry's answers for the repository team/backend, by digest."""

    script: Scripted
    blobs: dict[str, bytes] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return self.script.address.removeprefix("http://")

    def push(self, *layers: Sequence[Entry], index: bool = False, **config: Json) -> str:
        """The digest of an image of these layers; in a list for several platforms where `index` is true."""
        how = {"Entrypoint": ["/app/run"], **config}
        manifest = {
            "schemaVersion": 2,
            "config": {"digest": self.blob(json.dumps({"config": how}).encode())},
            "layers": [{"digest": self.blob(layer(entries))} for entries in layers],
        }
        digest = self.manifest(manifest)
        if not index:
            return digest
        platforms = [("linux", "arm64", "sha256:" + "0" * 64), ("linux", "amd64", digest)]
        listed = [{"digest": it, "platform": {"os": os, "architecture": kind}} for os, kind, it in platforms]
        return self.manifest({"schemaVersion": 2, "manifests": listed})

    def blob(self, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blobs[digest] = content
        self._answer(f"/v2/team/{REPOSITORY}/blobs/{digest}", content)
        return digest

    def manifest(self, manifest: Json) -> str:
        content = json.dumps(manifest).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._answer(f"/v2/team/{REPOSITORY}/manifests/{digest}", content)
        return digest

    def _answer(self, path: str, content: bytes) -> None:
        self.script.answers[path] = [Raw(content)]


class Raw(Reply):
    """An answer of bytes."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        object.__setattr__(self, "raw", content)

    @property
    def content(self) -> tuple[str, bytes]:
        return "application/octet-stream", self.raw  # type: ignore[attr-defined]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with scripted() as script:
        yield Hub(script)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ImageStore]:
    database = Store(tmp_path / "store.sqlite3")
    yield ImageStore(tmp_path / "images", database)
    database.close()


def unpacked(store: ImageStore, hub: Hub, target: Path, digest: str) -> Path:
    store.pull(hub.host, f"team/{REPOSITORY}", digest, REPOSITORY)
    store.unpack(digest, target)
    return target


def names(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_symlink() or path.is_file()}


def image_spec(hub: Hub, digest: str) -> Json:
    return {"registry_type": "DOCR", "registry": f"{hub.host}/team", "repository": REPOSITORY, "digest": digest}


def test_an_image_is_started_as_its_config_says(account: Account, hub: Hub) -> None:
    """With its entrypoint, command, working directory and variables; the variables of the spec take precedence."""
    start = "#!/bin/sh\nexport GREETING=\"$(pwd | sed 's,.*/disk,,') $FROM_IMAGE $FROM_BOTH $*\"\n"
    start += f"exec {sys.executable} -I -S ../srv/program.py\n"
    digest = hub.push(
        [file("srv/program.py", PROGRAM.read_text()), file("app/run", "another")],
        [file("app/run", start), folder("app/work")],
        Cmd=["serve", "now"],
        WorkingDir="/app",
        Env=["FROM_IMAGE=image", "FROM_BOTH=image", "PATH=/app"],
        index=True,
    )
    envs = [{"key": "FROM_BOTH", "value": "spec"}]
    app = account.up("registry", image=image_spec(hub, digest), envs=envs)
    assert account.get(app).json()["greeting"] == "/app image spec serve now"


def test_a_digest_that_the_registry_has_lost_is_not_deployed(account: Account, hub: Hub) -> None:
    """Not even when this cloud has run it before: App Platform asks the registry each time."""
    start = f"#!/bin/sh\nexec {sys.executable} -I -S /proc/self/cwd/program.py\n"
    digest = hub.push([file("program.py", PROGRAM.read_text()), file("app/run", start)])
    spec = account.spec("lost", image=image_spec(hub, digest))
    app = account.create(spec)
    account.wait(app["id"], app["pending_deployment"]["id"], "ACTIVE")
    del hub.script.answers[f"/v2/team/{REPOSITORY}/manifests/{digest}"]
    failed = account.update(app["id"], spec, "ERROR")
    assert f"does not have team/{REPOSITORY}@{digest}. Fix: push it first" in account.log(
        app["id"], failed["id"], "BUILD"
    )
    assert account.get(account.app(app["id"])).status_code == 200


def test_a_program_missing_in_the_image_is_not_taken_from_this_machine(account: Account, hub: Hub) -> None:
    app = account.create(account.spec("bare", image=image_spec(hub, hub.push([file("a")], Entrypoint=["sh"]))))
    failed = account.wait(app["id"], app["pending_deployment"]["id"], "ERROR")
    assert "cannot run 'sh': the image does not have it" in json.dumps(failed) + account.log(
        app["id"], failed["id"], "DEPLOY"
    )


def test_later_layers_replace_and_remove_files(store: ImageStore, hub: Hub, tmp_path: Path) -> None:
    digest = hub.push(
        [file("a", "one"), file("gone"), file("all/x"), file("all/y"), folder("was"), file("was/file"), file("kept")],
        [file("a", "two"), file(".wh.gone"), file("all/.wh..wh..opq"), file("all/z"), file("was", "a file now")],
    )
    root = unpacked(store, hub, tmp_path / "root", digest)
    assert names(root) == {"a", "all/z", "was", "kept"}
    assert (root / "a").read_text() == "two"


def test_links_are_resolved_as_in_a_container(store: ImageStore, hub: Hub, tmp_path: Path) -> None:
    digest = hub.push(
        [
            folder("usr/bin"),
            link("bin", "usr/bin"),
            file("usr/bin/tool", "tool"),
            link("etc/alternative", "/usr/bin/tool"),
            link("usr/bin/second", "usr/bin/tool", tarfile.LNKTYPE),
            link("up", "../../../../etc/passwd"),
        ],
        [file("bin/other", "other")],
    )
    root = unpacked(store, hub, tmp_path / "root", digest)
    assert (root / "usr/bin/other").read_text() == "other"
    assert (root / "etc/alternative").read_text() == (root / "usr/bin/second").read_text() == "tool"
    assert not (root / "up").exists()
    assert (root / "up").parent.joinpath((root / "up").readlink()).resolve() == root.resolve() / "etc/passwd"


@pytest.mark.parametrize(
    "entries",
    [
        [file("../outside")],
        [file("a/../../outside")],
        [link("out", "/.."), file("out/../../outside")],
        [link("deep/root", "/"), link("deep/root/x", "/../.."), file("x/../../outside")],
        [link("second", "../outside", tarfile.LNKTYPE)],
        [link("second", "nowhere", tarfile.LNKTYPE)],
    ],
    ids=["up", "up again", "by a link", "by two links", "second name", "second name of nothing"],
)
def test_an_entry_outside_of_the_folder_is_refused(
    store: ImageStore, hub: Hub, tmp_path: Path, entries: list[Entry]
) -> None:
    (tmp_path / "outside").write_text("as it was")
    with pytest.raises(ImageError, match="cannot be unpacked"):
        unpacked(store, hub, tmp_path / "root", hub.push(entries))
    assert (tmp_path / "outside").read_text() == "as it was"


def test_a_file_below_a_link_stays_inside_the_folder(store: ImageStore, hub: Hub, tmp_path: Path) -> None:
    digest = hub.push([link("a", "/../../.."), link("b", "a/../.."), file("a/one"), file("b/two")])
    root = unpacked(store, hub, tmp_path / "root", digest)
    assert names(root) == {"a", "b", "one", "two"}


def test_bytes_that_do_not_match_the_digest_are_refused(store: ImageStore, hub: Hub, tmp_path: Path) -> None:
    digest = hub.push([file("app/run")])
    for blob in hub.blobs:
        hub.script.answers[f"/v2/team/{REPOSITORY}/blobs/{blob}"] = [Raw(b"other bytes")]
    with pytest.raises(ImageError, match=r"gives other bytes than sha256:"):
        unpacked(store, hub, tmp_path / "root", digest)


@pytest.mark.parametrize(
    "config", [{"Entrypoint": None}, {"Entrypoint": [], "Cmd": []}], ids=["nothing to run", "an empty command"]
)
def test_an_image_without_a_command_is_refused(store: ImageStore, hub: Hub, tmp_path: Path, config: Json) -> None:
    with pytest.raises(ImageError, match="is no image that can be run here"):
        unpacked(store, hub, tmp_path / "root", hub.push([file("a")], **config))


def test_an_image_for_another_architecture_is_refused(store: ImageStore, hub: Hub, tmp_path: Path) -> None:
    listed = [{"digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "arm64"}}]
    with pytest.raises(ImageError, match="has no image for linux/amd64"):
        unpacked(store, hub, tmp_path / "root", hub.manifest({"schemaVersion": 2, "manifests": listed}))
