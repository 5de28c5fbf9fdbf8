"""Static assets of a Worker: the manifest of a directory, and its upload.

The manifest and its hashes are those of the official provider (internal/services/workers_script/assets.go): the whole
directory is walked, hidden files, `_headers` and `.assetsignore` included; a file's hash is the first 32 hex characters
of its SHA-256; the manifest's hash is the SHA-256 of its compact JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from offline_plugins.api import Api
from offline_plugins.cloudflare.answers import account_path, described, result
from offline_plugins.cloudflare.multipart import Part, encode
from offline_plugins.resource import Props, ProviderError

_UPLOADING = "failed to upload assets"
_UTF8 = "; charset=utf-8"
# By file ending, as in Go's mime package on a machine with the usual mime.types; any other type is sent as "".
_CONTENT_TYPES = {
    ".avif": "image/avif",
    ".css": "text/css" + _UTF8,
    ".gif": "image/gif",
    ".htm": "text/html" + _UTF8,
    ".html": "text/html" + _UTF8,
    ".ico": "image/vnd.microsoft.icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript" + _UTF8,
    ".json": "application/json",
    ".mjs": "text/javascript" + _UTF8,
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain" + _UTF8,
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "text/xml" + _UTF8,
}


@dataclass(frozen=True)
class Asset:
    """One file: its absolute path, the hash that names it, its size in bytes."""

    path: str
    hash: str
    size: int


def manifest(directory: str) -> dict[str, Asset]:
    """Return the files below the directory by their path on the site, in the order of Go's key sort (by bytes).

    Raises ProviderError when the directory or a file cannot be read.
    """
    base = os.path.abspath(directory)
    files: dict[str, Asset] = {}
    try:
        os.lstat(base)
        for folder, _, names in os.walk(base, onerror=_raise):
            for name in names:
                path = os.path.join(folder, name)
                site_path = "/" + os.path.relpath(path, base).replace(os.sep, "/")
                content = Path(path).read_bytes()
                files[site_path] = Asset(path, hashlib.sha256(content).hexdigest()[:32], len(content))
    except OSError as error:
        raise ProviderError(
            'AttributeName("assets").AttributeName("asset_manifest_sha256"): Error reading asset files: '
            f"{error.filename}: {(error.strerror or str(error)).lower()}"
        ) from None
    return dict(sorted(files.items(), key=lambda pair: os.fsencode(pair[0])))


def _raise(error: OSError) -> None:
    raise error


def _entries(assets: Mapping[str, Asset]) -> dict[str, dict[str, str | int]]:
    return {name: {"hash": asset.hash, "size": asset.size} for name, asset in assets.items()}


def digest(assets: Mapping[str, Asset]) -> str:
    """Return the hash of the manifest, in hex."""
    text = json.dumps(_entries(assets), separators=(",", ":"), ensure_ascii=False)
    for letter in "<>&\u2028\u2029":  # Go's encoder escapes these five
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def upload(api: Api, props: Props, assets: Mapping[str, Asset]) -> str:
    """Upload the missing files; return the token that names the complete set in a Worker's metadata."""
    path = account_path(props, "workers", "scripts", props["scriptName"], "assets-upload-session")
    session = result(api.send_json("POST", path, {"manifest": _entries(assets)}), _UPLOADING)
    token, buckets = session.get("jwt") or "", session.get("buckets") or []
    completion = "" if buckets else token
    by_hash: dict[str, Asset] = {}
    for asset in assets.values():
        by_hash.setdefault(asset.hash, asset)
    for bucket in buckets:
        files = [by_hash[name] for name in bucket if name in by_hash]
        completion = _upload_bucket(api, props, token, files) or completion
    if not completion:
        raise ProviderError(f"{_UPLOADING}: {_UPLOADING}: no completion token received from upload session")
    return completion


def _upload_bucket(api: Api, props: Props, token: str, assets: list[Asset]) -> str:
    """Upload one bucket; return its token, which only the last bucket's response must have."""
    body, content_type = encode(
        Part(asset.hash, b64encode(Path(asset.path).read_bytes()), _content_type(asset.path), asset.path)
        for asset in assets
    )
    answer = api.send(
        "POST",
        account_path(props, "workers", "assets", "upload"),
        body,
        {"Authorization": f"Bearer {token}", "Content-Type": content_type},
        {"base64": "true"},
    )
    if not answer.ok:
        raise ProviderError(f"{_UPLOADING}: {described(answer)}")
    found = answer.json
    inner = found.get("result") if isinstance(found, dict) else None
    return str(inner.get("jwt") or "") if isinstance(inner, dict) else ""


def _content_type(path: str) -> str:
    return _CONTENT_TYPES.get(os.path.splitext(path)[1].lower(), "")
