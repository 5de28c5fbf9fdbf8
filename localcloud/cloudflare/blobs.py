"""Files below root/cloudflare: asset folders, and blobs named by their content or by the client's hash."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from localcloud.files import atomic_write

Json = Any
Manifest = dict[str, dict[str, Json]]
LONGEST_NAME = 255
LONGEST_PATH = 3000  # out of the 4096 that a file system takes, which also hold the state folder's own path
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
HASH = re.compile(r"[0-9a-f]{32}")
RULES = ("_headers", "_redirects")
KEPT_SECONDS = 24 * 3600
NEVER = {"/_headers", "/_redirects", "/.assetsignore"}


class NotEncoded(ValueError):
    """A path in a manifest is not percent-encoded like an address."""


def digest(content: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def segments(path: str) -> list[str]:
    """Split a manifest's path, which is absolute and percent-encoded, into names.

    Raises NotEncoded for a wrong encoding. Raises ValueError for a path that leaves the folder or cannot name a file.
    """
    if not path.startswith("/"):
        raise ValueError(f"{path} does not begin with /")
    names = [_decoded(name) for name in path[1:].split("/")]
    if any(name in ("", ".", "..") or "/" in name or "\0" in name for name in names):
        raise ValueError(f"{path} is no path of a file")
    if any(len(name.encode()) > LONGEST_NAME for name in names):
        raise ValueError(f"{path} has a name of more than {LONGEST_NAME} bytes")
    if sum(len(name.encode()) + 1 for name in names) > LONGEST_PATH:
        raise ValueError(f"{path} has more than {LONGEST_PATH} bytes")
    return names


def _decoded(name: str) -> str:
    """Decode like JavaScript's decodeURIComponent."""
    if BAD_ESCAPE.search(name):
        raise NotEncoded
    try:
        decoded = unquote(name, errors="strict")
        decoded.encode()
    except UnicodeError:
        raise NotEncoded from None
    return decoded


class Blobs:
    """The blobs. They appear whole or not at all, and never change."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._modules = root / "modules"
        self._assets = root / "assets"
        self._types = root / "types"
        self._manifests = root / "manifests"
        self._sites = root / "sites"
        self.logs = root / "logs"
        for folder in (root, self._modules, self._assets, self._types, self._manifests, self._sites, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep_module(self, content: bytes) -> str:
        """Store a module and return its digest."""
        name = digest(content)
        self._write(self._modules / name, content)
        return name

    def module(self, name: str) -> Path:
        """Return the file of a module."""
        return self._modules / name

    def has_asset(self, name: str) -> bool:
        """Return whether a file of this hash is stored."""
        return self._assets.joinpath(name).exists()

    def keep_asset(self, name: str, kind: str, content: bytes) -> None:
        """Store a file under the client's hash, with the content type of its first upload."""
        if not self.has_asset(name):
            self._write(self._types / name, kind.encode())
        self._write(self._assets / name, content)

    def content_types(self, manifest: str) -> dict[str, str]:
        """Return the content types of the manifest's files, by their paths in the site's folder.

        Files that an older local cloud stored may be missing.
        """
        types = {}
        for path, entry in self.manifest(manifest).items():
            kind = self._types / entry["hash"]
            with contextlib.suppress(FileNotFoundError, ValueError):
                types["/".join(segments(path))] = kind.read_text()
        return types

    def keep_manifest(self, manifest: Manifest) -> str:
        """Store a manifest and return its digest."""
        content = json.dumps(manifest, sort_keys=True).encode()
        name = digest(content)
        self._write(self._manifests / name, content)
        return name

    def manifest(self, name: str) -> Manifest:
        """Read a manifest."""
        manifest: Manifest = json.loads(self._manifests.joinpath(name).read_text())
        return manifest

    def site(self, manifest: str, config: dict[str, Json]) -> Path:
        """Return a folder with the manifest's files and the rules of `config`; it is made at the first call.

        Files of the manifest that have the rules' file names are left out. On Cloudflare they are plain files when
        uploaded; here the runtime would read them as rules.
        """
        rules = {name: config[name] for name in RULES if config.get(name)}
        name = digest(json.dumps([manifest, rules], sort_keys=True).encode())
        folder = self._sites / name
        if not folder.exists():
            self._build(folder, self.manifest(manifest), rules)
        return folder

    def _build(self, folder: Path, manifest: Manifest, rules: dict[str, str]) -> None:
        part = Path(tempfile.mkdtemp(dir=self._sites, prefix="part-"))
        try:
            for path, entry in manifest.items():
                if path not in NEVER:
                    target = part.joinpath(*segments(path))
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.link(self._assets / entry["hash"], target)
            for name, text in rules.items():
                part.joinpath(name).write_text(text)
            os.replace(part, folder)
        except OSError:
            if not folder.exists():  # else another upload of the same files created it
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def sweep(self, documents: list[Json]) -> None:
        """Remove the files that no version needs. Those of the last day stay: their session may still be open."""
        modules = {part["digest"] for document in documents for part in document["parts"]}
        sites = {
            self.site(document["site"]["manifest"], document["site"]["config"]).name
            for document in documents
            if document["site"]
        }
        for file in self._modules.iterdir():
            if file.name not in modules:
                file.unlink()
        for folder in self._sites.iterdir():
            if folder.name not in sites:
                shutil.rmtree(folder, ignore_errors=True)
        manifests = {document["site"]["manifest"] for document in documents if document["site"]}
        assets = {entry["hash"] for name in manifests for entry in self.manifest(name).values()}
        for folder, needed in ((self._manifests, manifests), (self._assets, assets), (self._types, assets)):
            for file in folder.iterdir():
                if file.name not in needed and time.time() - file.stat().st_mtime > KEPT_SECONDS:
                    file.unlink()

    def _write(self, file: Path, content: bytes) -> None:
        if file.exists():
            return
        with atomic_write(file) as fresh:
            fresh.write_bytes(content)
