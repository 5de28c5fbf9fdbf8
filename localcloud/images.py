"""The local image store: packed directories by the SHA-256 of their bytes, and pulled images by their own digests.

Pulled images come from a registry on this machine. An image is a plain tar that holds `rootfs/…` and `config.json`
{"cmd": ["./entrypoint.sh"]}. For a registry's image it holds all layers as one, and also its working directory and
variables.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from localcloud.files import atomic_write
from localcloud.image_config import ImageConfig
from localcloud.registry import PullError, Registry
from localcloud.store import Store
from localcloud.trees import TreeError, place

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TABLE = """CREATE TABLE IF NOT EXISTS images (
    digest TEXT NOT NULL, repository TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (digest, repository));"""


class ImageError(Exception):
    """An image is missing, damaged, or no image."""


class ImageStore:
    """Images by digest; a digest is found only in the repository that it was pushed to."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._store = store
        folder.mkdir(parents=True, exist_ok=True)
        store.script(TABLE)

    def path(self, digest: str) -> Path:
        """Return the path of the packed image, which may not exist."""
        return self._folder / (digest.removeprefix("sha256:") + ".tar")

    def has(self, digest: str, repository: str | None = None) -> bool:
        """Return whether the image exists (in this repository)."""
        if not DIGEST.fullmatch(digest) or not self.path(digest).exists():
            return False
        query, values = "SELECT 1 FROM images WHERE digest = ?", [digest]
        if repository is not None:
            query, values = query + " AND repository = ?", [digest, repository]
        return self._store.fetchone(query, values) is not None

    async def put(self, digest: str, repository: str, body: AsyncIterator[bytes]) -> int:
        """Store a packed image and return its size in bytes. Raises ImageError when the digest does not match its
        bytes.
        """
        if not DIGEST.fullmatch(digest):
            raise ImageError(f"{digest!r} is not a digest like sha256:<64 hexadecimal digits>")
        with atomic_write(self.path(digest)) as fresh:
            size = await _write_checked(fresh, digest, body)
            read_config(fresh)
        self._register(digest, repository)
        return size

    def pull(self, host: str, path: str, digest: str, repository: str) -> None:
        """Pull an image from a registry. Raises ImageError when the registry lacks it, even if it was pulled before.

        Blocking: call it in a thread.
        """
        registry = Registry(host, path)
        try:
            manifest = registry.manifest(digest)
            if not self.has(digest, repository):
                with tempfile.TemporaryDirectory(dir=self._folder, prefix="pull-") as folder:
                    root = Path(folder)
                    config = registry.unpack(manifest, root)
                    self._take(digest, repository, root, config)
        except PullError as error:
            raise ImageError(str(error)) from None

    def _take(self, digest: str, repository: str, root: Path, config: ImageConfig) -> None:
        with atomic_write(self.path(digest)) as fresh:
            pack(root, config, fresh)
        self._register(digest, repository)

    def keep(self, folder: Path, cmd: list[str], repository: str) -> str:
        """Pack a folder that was built here, and return its digest."""
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="built-") as scratch:
            packed = Path(scratch) / "image.tar"
            pack(folder, ImageConfig(tuple(cmd)), packed)
            with packed.open("rb") as file:
                digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
            packed.rename(self.path(digest))
        self._register(digest, repository)
        return digest

    def _register(self, digest: str, repository: str) -> None:
        size = self.path(digest).stat().st_size
        self._store.execute("INSERT OR IGNORE INTO images VALUES (?, ?, ?)", (digest, repository, size))

    def config(self, digest: str) -> ImageConfig:
        """Return the image's start configuration."""
        return read_config(self.path(digest))

    def unpack(self, digest: str, target: Path) -> None:
        """Unpack an image into a folder, which is emptied first. Blocking: call it in a thread.

        Raises ImageError for a file that would land outside the folder, and for a damaged image.
        """
        packed = self.path(digest)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        try:
            with tarfile.open(packed) as tar:
                for member in tar:
                    if member.name.startswith("rootfs/"):
                        place(tar, member, target, member.name.removeprefix("rootfs/"))
        except (tarfile.TarError, TreeError) as error:
            raise ImageError(str(error)) from error


async def _write_checked(path: Path, digest: str, body: AsyncIterator[bytes]) -> int:
    sha256 = hashlib.sha256()
    size = 0
    with path.open("wb") as file:
        async for chunk in body:
            sha256.update(chunk)
            size += len(chunk)
            file.write(chunk)
    if "sha256:" + sha256.hexdigest() != digest:
        raise ImageError(f"the bytes sent have the digest sha256:{sha256.hexdigest()}, not {digest}")
    return size


def read_config(packed: Path) -> ImageConfig:
    """Read an image's config.json. Raises ImageError when the file is not an image."""
    try:
        with tarfile.open(packed) as tar:
            file = tar.extractfile("config.json")
            config = json.load(file) if file else None
    except (tarfile.TarError, KeyError, ValueError, OSError) as error:
        raise ImageError(f"not an image: no readable config.json in the tar ({error})") from error
    try:
        return ImageConfig.read(config)
    except ValueError as error:
        raise ImageError(f"not an image: {error}") from None


def pack(folder: Path, how: ImageConfig, target: Path) -> None:
    """Write the same bytes for the same content: sorted names, no times, no owners, modes 0644 or 0755."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        config = json.dumps(how.show()).encode()
        tar.addfile(_clean(tarfile.TarInfo("config.json"), len(config)), io.BytesIO(config))
        for path in sorted(folder.rglob("*")):
            name = f"rootfs/{path.relative_to(folder).as_posix()}"
            member = tar.gettarinfo(path, name)
            if member.isfile():
                member.type = tarfile.REGTYPE  # a hard link would point outside the image
                with path.open("rb") as content:
                    tar.addfile(_clean(member, path.stat().st_size), content)
            elif member.isdir() or member.issym():
                tar.addfile(_clean(member, 0))


def _clean(member: tarfile.TarInfo, size: int) -> tarfile.TarInfo:
    member.size = size
    member.mtime = member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member
