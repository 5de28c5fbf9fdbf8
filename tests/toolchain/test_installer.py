"""The download of Pulumi's releases, from a server on loopback."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.stub_server import HANGING, Reply, Request, StubServer
from toolchain import installer, pins
from toolchain.errors import ToolError, Unreachable
from toolchain.platforms import LINUX_X64, MACOS_ARM64

ARCHIVE = installer.archive_name(LINUX_X64)
LIST = f"pulumi-{pins.ENGINE}-checksums.txt"


@dataclass
class Releases:
    """What the place serves, by file name; `promised` bytes are announced when a file shall end early."""

    files: dict[str, bytes] = field(default_factory=dict)
    promised: dict[str, int] = field(default_factory=dict)
    silent: bool = False
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def publish(self, archive: bytes, name: str = ARCHIVE) -> None:
        self.files[name] = archive
        line = f"{hashlib.sha256(archive).hexdigest()}  {name}\n"
        self.files[LIST] = self.files.get(LIST, b"") + line.encode()

    def reply(self, request: Request) -> Reply:
        name = request.path.rsplit("/", 1)[-1]
        self.asked.append(name)
        if self.silent:
            return HANGING
        body = self.files.get(name)
        if body is None:
            return Reply(status=403)
        return Reply(body, headers={"content-length": str(self.promised.get(name, len(body)))})


@pytest.fixture
def releases() -> Iterator[Releases]:
    served = Releases()
    with StubServer(served.reply) as server:
        served.address = f"{server.url}/releases/sdk"
        yield served


def archive(*names: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    return packed.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "scratch" / "made"
    made.mkdir(parents=True)
    return made


def test_the_engine_and_the_python_host_are_unpacked(releases: Releases, folder: Path) -> None:
    names = ["pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python"]
    others = ["pulumi-language-go", "pulumi-watch", "../../outside/pulumi-python-evil"]
    releases.publish(archive(*(f"pulumi/{name}" for name in names + others)))
    installer.download(folder, LINUX_X64, releases.address)
    assert sorted(file.name for file in folder.iterdir()) == sorted([*names, "pulumi-python-evil"])
    assert all(file.stat().st_mode & 0o777 == 0o755 for file in folder.iterdir())
    assert not (folder.parent.parent / "outside").exists()


def test_each_platform_downloads_its_own_archive(releases: Releases, folder: Path) -> None:
    releases.publish(archive("pulumi/pulumi"))
    releases.publish(archive("pulumi/pulumi", "pulumi/pulumi-language-python"), installer.archive_name(MACOS_ARM64))
    installer.download(folder, MACOS_ARM64, releases.address)
    assert releases.asked == [LIST, installer.archive_name(MACOS_ARM64)]


def test_a_wrong_checksum_is_an_error_and_nothing_is_unpacked(releases: Releases, folder: Path) -> None:
    releases.publish(archive("pulumi/pulumi"))
    releases.files[ARCHIVE] = archive("pulumi/pulumi", "pulumi/pulumi-language-python")
    with pytest.raises(ToolError, match="does not have the checksum"):
        installer.download(folder, LINUX_X64, releases.address)
    assert not list(folder.iterdir())


def test_a_truncated_download_makes_the_source_unreachable(releases: Releases, folder: Path) -> None:
    releases.publish(archive("pulumi/pulumi"))
    releases.promised[ARCHIVE] = 10_000_000
    with pytest.raises(Unreachable, match=r"ended after|IncompleteRead"):
        installer.download(folder, LINUX_X64, releases.address)
    assert not list(folder.iterdir())


def test_a_missing_release_makes_the_source_unreachable(releases: Releases, folder: Path) -> None:
    with pytest.raises(Unreachable, match="status 403"):
        installer.download(folder, LINUX_X64, releases.address)
    releases.publish(archive("pulumi/pulumi"), "pulumi-v1.0.0-linux-x64.tar.gz")
    with pytest.raises(Unreachable, match="does not name"):
        installer.download(folder, LINUX_X64, releases.address)


def test_a_silent_server_is_asked_once_with_a_short_timeout(
    releases: Releases, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases.silent = True
    monkeypatch.setattr(installer, "SECONDS", 0.2)
    with pytest.raises(Unreachable, match="no answer within"):
        installer.download(folder, LINUX_X64, releases.address)
    assert releases.asked == [LIST]


def test_an_unknown_host_name_is_reported(folder: Path) -> None:
    with pytest.raises(Unreachable, match="its name is not known here"):
        installer.download(folder, LINUX_X64, "http://releases.invalid/sdk")


def test_a_refused_connection_is_reported(folder: Path) -> None:
    with pytest.raises(Unreachable, match="refused"):
        installer.download(folder, LINUX_X64, "http://127.0.0.1:9/sdk")
