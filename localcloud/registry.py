"""Images pulled by digest from a container registry on this machine.

Their layers are laid over one another into one folder, like a container's root. Formats:
https://github.com/opencontainers/image-spec (manifest, index, config, layer), and docker's own of the same shape.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localcloud.image_config import ImageConfig
from localcloud.trees import TreeError, inside, place, remove

SECONDS = 60.0
CHUNK = 1024 * 1024
ACCEPT = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"


class PullError(Exception):
    """An image cannot be pulled: one sentence."""


def is_registry(name: str | None) -> bool:
    """Return whether a spec's `registry` starts with a registry on this machine, by the rule of image names."""
    host = (name or "").partition("/")[0].partition(":")[0]
    try:
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Registry:
    """A repository of a registry at `host`, which is on this machine. Blocking: call it in a thread."""

    def __init__(self, host: str, repository: str) -> None:
        name, _, port = host.partition(":")
        self._where = ("127.0.0.1" if name.endswith("localhost") else name, int(port or 80))
        self._host, self.repository = host, repository

    def manifest(self, digest: str) -> dict[str, Any]:
        """Return the manifest of a digest; from an index, the one for linux/amd64. Raises PullError."""
        manifest = self._manifest(digest)
        if "manifests" not in manifest:
            return manifest
        linux_amd64 = ("linux", "amd64")
        for each in manifest["manifests"]:
            platform = each.get("platform") or {}
            if (platform.get("os"), platform.get("architecture")) == linux_amd64:
                return self._manifest(each["digest"])
        raise PullError(f"{self.repository}@{digest} has no image for {'/'.join(linux_amd64)}")

    def unpack(self, manifest: Mapping[str, Any], root: Path) -> ImageConfig:
        """Unpack the layers over one another into an empty folder. Raises PullError."""
        try:
            config = json.loads(self._blob(manifest["config"]["digest"]))
            for layer in manifest["layers"]:
                with self._file(layer["digest"]) as file:
                    _apply(file, root)
            return _config(config.get("config") or {})
        except (TreeError, tarfile.TarError, EOFError, OSError) as error:
            raise PullError(f"a layer of {self.repository} cannot be unpacked: {error}") from None
        except (LookupError, TypeError, ValueError, AttributeError):
            raise PullError(f"{self.repository} is no image that can be run here") from None

    def _manifest(self, digest: str) -> dict[str, Any]:
        body = b"".join(self._asked(f"manifests/{digest}", digest))
        if f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
            raise PullError(f"the registry at {self._host} gives other bytes than {digest}")
        found: dict[str, Any] = json.loads(body)
        return found

    def _blob(self, digest: str) -> bytes:
        with self._file(digest) as file:
            return file.read_bytes()

    @contextmanager
    def _file(self, digest: str) -> Iterator[Path]:
        """Download a blob to a file and check its digest."""
        sha256 = hashlib.sha256()
        with tempfile.NamedTemporaryFile() as file:
            for chunk in self._asked(f"blobs/{digest}", digest):
                sha256.update(chunk)
                file.write(chunk)
            file.flush()
            if f"sha256:{sha256.hexdigest()}" != digest:
                raise PullError(f"the registry at {self._host} gives other bytes than {digest}")
            yield Path(file.name)

    def _asked(self, path: str, what: str) -> Iterator[bytes]:
        connection = http.client.HTTPConnection(*self._where, timeout=SECONDS)
        try:
            headers = {"Host": self._host, "Accept": ", ".join(ACCEPT)}
            connection.request("GET", f"/v2/{self.repository}/{path}", headers=headers)
            answer = connection.getresponse()
            if answer.status == 404:
                raise PullError(
                    f"the registry at {self._host} does not have {self.repository}@{what}. Fix: push it first"
                )
            if answer.status != 200:
                raise PullError(f"the registry at {self._host} answers {what} with status {answer.status}")
            while chunk := answer.read(CHUNK):
                yield chunk
        except (OSError, http.client.HTTPException) as error:
            raise PullError(f"the registry at {self._host} does not answer ({type(error).__name__})") from None
        finally:
            connection.close()


def _apply(layer: Path, root: Path) -> None:
    """Unpack one layer: an entry replaces one of the same name, a whiteout removes one."""
    with tarfile.open(layer) as tar:
        for member in tar:
            folder, _, last = member.name.rstrip("/").rpartition("/")
            if last == OPAQUE:
                _empty(inside(root, folder or "."), root)
            elif last.startswith(WHITEOUT):
                remove(inside(root, f"{folder}/{last.removeprefix(WHITEOUT)}".lstrip("/")))
            else:
                place(tar, member, root, member.name.lstrip("/"))


def _empty(folder: Path, root: Path) -> None:
    target = folder.resolve()
    if target.is_dir() and target.is_relative_to(root.resolve()):
        for each in target.iterdir():
            remove(each)


def _config(config: Mapping[str, Any]) -> ImageConfig:
    """Read the start configuration. Raises ValueError when it has no command."""
    cmd = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    if not cmd:
        raise ValueError("no command")
    env = dict(str(each).split("=", 1) for each in config.get("Env") or [] if "=" in str(each))
    return ImageConfig(tuple(map(str, cmd)), str(config.get("WorkingDir") or "/").lstrip("/"), env, in_root=True)
