"""The engine from Pulumi's own releases, checked against their list of checksums."""

from __future__ import annotations

import hashlib
import http.client
import socket
import tarfile
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath

from toolchain import pins, platforms
from toolchain.errors import ToolError, Unreachable
from toolchain.progress import Step

RELEASES = "https://get.pulumi.com/releases/sdk"
SECONDS = 6.0
CHUNK = 1 << 20


def archive_name(platform: platforms.Platform) -> str:
    """Return the release archive's name for a platform."""
    return f"pulumi-v{pins.ENGINE}-{platform.pulumi}.tar.gz"


def download(folder: Path, platform: platforms.Platform, releases: str = RELEASES) -> None:
    """Download the engine and its Python language host into `folder`.

    One attempt. Raises Unreachable when the host cannot be reached or lacks that release, ToolError when the archive
    does not match its list of checksums.
    """
    name = archive_name(platform)
    expected = _checksum(f"{releases}/pulumi-{pins.ENGINE}-checksums.txt", name)
    archive = folder.parent / name
    with Step(f"Pulumi engine {pins.ENGINE} from Pulumi's releases") as step:
        actual = _fetch(f"{releases}/{name}", archive, step)
        if actual != expected:
            raise ToolError(
                f"{name} from {releases} does not have the checksum that is listed there, so it was not installed."
            )
        _unpack(archive, folder)


def _checksum(address: str, name: str) -> str:
    """Return the archive's SHA-256 from the release's list: lines of "<hex>  <name>"."""
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            listed: str = answer.read(CHUNK).decode("ascii", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(_reason(error)) from error
    for line in listed.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].lstrip("*") == name:
            return words[0].lower()
    raise Unreachable(f"its list of checksums does not name {name}")


def _fetch(address: str, file: Path, step: Step) -> str:
    """Download to a file and return its SHA-256. A network error half-way raises Unreachable; a disk error is passed
    on.
    """
    sha256 = hashlib.sha256()
    try:
        answer = urllib.request.urlopen(address, timeout=SECONDS)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(_reason(error)) from error
    total = int(answer.headers.get("Content-Length") or 0)
    size = 0
    with answer, file.open("wb") as out:
        while chunk := _read(answer):
            out.write(chunk)
            sha256.update(chunk)
            size += len(chunk)
            step.detail = f"{size >> 20} of {total >> 20} MB"
    if size < total:
        raise Unreachable(f"the download ended after {size} of {total} bytes")
    return sha256.hexdigest()


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Return the reason of a failed request in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"status {error.code}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {SECONDS:.0f} s"
    if isinstance(cause, socket.gaierror):
        return "its name is not known here"
    return str(cause) or type(cause).__name__


def _unpack(archive: Path, folder: Path) -> None:
    """Extract the engine and the Python language host from the archive's one folder."""
    with tarfile.open(archive) as opened:
        for member in opened:
            name = PurePosixPath(member.name).name
            needed = name == "pulumi" or (name.startswith("pulumi-") and "python" in name)
            source = opened.extractfile(member) if needed and member.isfile() else None
            if source is not None:
                target = folder / name
                with source, target.open("wb") as out:
                    while chunk := source.read(CHUNK):
                        out.write(chunk)
                target.chmod(0o755)
