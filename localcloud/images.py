"""The local image store: packed directories, addressed by the SHA-256 of their bytes.

An image is a plain tar that holds `rootfs/…` and `config.json` {"cmd": ["./entrypoint.sh"]}.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

from localcloud.store import Store

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TABLE = """CREATE TABLE IF NOT EXISTS images (
    digest TEXT NOT NULL, repository TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (digest, repository));"""


class ImageError(Exception):
    """An image that is missing, damaged or not an image."""


class ImageStore:
    """Images by digest; a digest is found only in the repository it was pushed to."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._store = store
        folder.mkdir(parents=True, exist_ok=True)
        store.script(TABLE)

    def path(self, digest: str) -> Path:
        """Where the packed image lies, if it is there."""
        return self._folder / (digest.removeprefix("sha256:") + ".tar")

    def has(self, digest: str, repository: str | None = None) -> bool:
        """Is it there (in this repository)?"""
        if not DIGEST.fullmatch(digest) or not self.path(digest).exists():
            return False
        query, values = "SELECT 1 FROM images WHERE digest = ?", [digest]
        if repository is not None:
            query, values = query + " AND repository = ?", [digest, repository]
        return self._store.fetchone(query, values) is not None

    async def put(self, digest: str, repository: str, body: AsyncIterator[bytes]) -> int:
        """Take a packed image; its size in bytes. ImageError when its bytes are not those of the digest."""
        if not DIGEST.fullmatch(digest):
            raise ImageError(f"{digest!r} is not a digest like sha256:<64 hexadecimal digits>")
        fresh = self._folder / f"{digest[7:]}.{os.urandom(4).hex()}.part"
        try:
            size = await _write_checked(fresh, digest, body)
            read_config(fresh)
            os.replace(fresh, self.path(digest))
        finally:
            fresh.unlink(missing_ok=True)
        self._store.execute("INSERT OR IGNORE INTO images VALUES (?, ?, ?)", (digest, repository, size))
        return size

    def keep(self, folder: Path, cmd: list[str], repository: str) -> str:
        """Pack a folder that was built here; its digest."""
        fresh = self._folder / f"{os.urandom(8).hex()}.part"
        pack(folder, cmd, fresh)
        with fresh.open("rb") as file:
            digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        size = fresh.stat().st_size
        os.replace(fresh, self.path(digest))
        self._store.execute("INSERT OR IGNORE INTO images VALUES (?, ?, ?)", (digest, repository, size))
        return digest

    def command(self, digest: str) -> list[str]:
        """The image's own command."""
        return read_config(self.path(digest))

    def unpack(self, digest: str, target: Path) -> None:
        """Unpack into a folder, which is emptied first. Blocking: call it in a thread.

        Raises ImageError for a file that would land outside the folder, and for a damaged image.
        """
        packed = self.path(digest)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        try:
            with tarfile.open(packed) as tar:
                for member in tar:
                    if member.name.startswith("rootfs/"):
                        _place(tar, member, target)
        except tarfile.TarError as error:
            raise ImageError(str(error)) from error


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Write one entry. Not tarfile's own extraction: its safe filter is missing from 3.11 before 3.11.4."""
    path = Path(os.path.normpath(target / member.name.removeprefix("rootfs/")))
    if not path.is_relative_to(target) or Path(member.name).is_absolute():
        raise ImageError(f"{member.name!r} would be placed outside the container's folder")
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    content = tar.extractfile(member) if member.isreg() else None
    if content is None:
        raise ImageError(f"{member.name!r} is neither a file nor a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    with content, path.open("wb") as file:
        shutil.copyfileobj(content, file)
    path.chmod(0o755 if member.mode & 0o100 else 0o644)


async def _write_checked(path: Path, digest: str, body: AsyncIterator[bytes]) -> int:
    seen = hashlib.sha256()
    size = 0
    with path.open("wb") as file:
        async for chunk in body:
            seen.update(chunk)
            size += len(chunk)
            file.write(chunk)
    if "sha256:" + seen.hexdigest() != digest:
        raise ImageError(f"the bytes sent have the digest sha256:{seen.hexdigest()}, not {digest}")
    return size


def read_config(packed: Path) -> list[str]:
    """The command in an image's config.json; ImageError when the file is not an image."""
    try:
        with tarfile.open(packed) as tar:
            file = tar.extractfile("config.json")
            cmd = json.load(file)["cmd"] if file else None
    except (tarfile.TarError, KeyError, ValueError, OSError) as error:
        raise ImageError(f"not an image: no readable config.json in the tar ({error})") from error
    if not isinstance(cmd, list) or not cmd or not all(isinstance(word, str) for word in cmd):
        raise ImageError('not an image: config.json has no {"cmd": ["program", "argument", …]}')
    return cmd


def pack(folder: Path, cmd: list[str], target: Path) -> None:
    """Write the same bytes for the same content: sorted names, no times, no owners, modes 0644 or 0755."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        config = json.dumps({"cmd": cmd}).encode()
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
