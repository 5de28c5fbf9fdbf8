"""Asset upload sessions: signed tokens that name a manifest and state whether all its files are stored.

A token has the form of a JSON web token, because clients read its `exp`; only this local cloud checks its signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from typing import Any

from localcloud.cloudflare.blobs import HASH, Blobs, Manifest, NotEncoded, segments
from localcloud.cloudflare.errors import ApiError, authentication, invalid
from localcloud.cloudflare.records import Records
from localcloud.vault import Vault

Json = Any
LARGEST_ASSET = 25 * 1024 * 1024
MOST_ASSETS = 20_000
BUCKET_FILES = 50
BUCKET_BYTES = 40 * 1024 * 1024
SECONDS = 3600
PURPOSE = "cloudflare/sessions"


class Sessions:
    """Opens sessions, stores files, and checks completion tokens."""

    def __init__(self, records: Records, vault: Vault, blobs: Blobs) -> None:
        self._blobs = blobs
        self._key = _key(records, vault)

    def open(self, script: str, manifest: Json) -> tuple[str, list[list[str]]]:
        """Return the session's token and the hashes to upload, in buckets; no buckets when all files are stored."""
        checked = check(manifest)
        name = self._blobs.keep_manifest(checked)
        buckets = _buckets(self._missing(checked), checked)
        return self._sign({"script": script, "manifest": name}), buckets

    def put(self, token: str, files: list[tuple[str, str, bytes]]) -> str | None:
        """Store files [(hash, name, content)]; return the completion token when none is missing, else None."""
        claims = self._claims(token)
        manifest = self._blobs.manifest(claims["manifest"])
        sizes = {entry["hash"]: entry["size"] for entry in manifest.values()}
        for name, kind, content in files:
            if name not in sizes:
                raise invalid(f"file {name} is not in the manifest of this upload session")
            if len(content) != sizes[name]:
                raise invalid(f"file {name} has {len(content)} bytes, its manifest says {sizes[name]}")
            self._blobs.keep_asset(name, kind, content)
        return None if self._missing(manifest) else self._sign(claims)

    def completed(self, script: str, token: str) -> str:
        """Return the manifest's digest. Raises ApiError when the token is for another Worker or files are missing."""
        claims = self._claims(token)
        if claims["script"] != script:
            raise invalid("the assets' token belongs to an upload session of another Worker")
        missing = len(self._missing(self._blobs.manifest(claims["manifest"])))
        if missing:
            raise invalid(f"the asset upload session is not complete: {missing} files are missing")
        digest: str = claims["manifest"]
        return digest

    def _missing(self, manifest: Manifest) -> list[str]:
        wanted = dict.fromkeys(entry["hash"] for entry in manifest.values())
        return [name for name in wanted if not self._blobs.has_asset(name)]

    def _sign(self, claims: dict[str, Json]) -> str:
        moment = int(time.time())
        payload = {**claims, "iat": moment, "exp": moment + SECONDS}
        head = _encode(b'{"alg":"HS256","typ":"JWT"}') + "." + _encode(json.dumps(payload).encode())
        return f"{head}.{self._mark(head)}"

    def _mark(self, head: str) -> str:
        return _encode(hmac.new(self._key, head.encode(), hashlib.sha256).digest())

    def _claims(self, token: str) -> dict[str, Json]:
        head, _, mark = token.rpartition(".")
        if not hmac.compare_digest(mark.encode(), self._mark(head).encode()):
            raise authentication()
        try:
            claims: dict[str, Json] = json.loads(_decode(head.split(".")[1]))
        except (ValueError, IndexError, binascii.Error):
            raise authentication() from None
        if claims["exp"] <= time.time():
            raise ApiError(401, 10000, "Authentication error: the asset upload session has expired")
        return claims


def check(manifest: Json) -> Manifest:
    """Return the manifest {path: {hash, size}}. Raises ApiError for anything else."""
    if not isinstance(manifest, dict):
        raise invalid("manifest must be an object of paths")
    if len(manifest) > MOST_ASSETS:
        raise invalid(f"the manifest has {len(manifest)} files, more than {MOST_ASSETS}")
    for path, entry in manifest.items():
        _check_entry(path, entry)
    _check_places(manifest)
    return {path: {"hash": entry["hash"], "size": entry["size"]} for path, entry in manifest.items()}


def _check_places(manifest: Json) -> None:
    """Refuse two paths of one file, and a path below a file."""
    places: dict[str, str] = {}
    for path in manifest:
        place = "/".join(segments(path))
        if place in places:
            raise invalid(f"assets {places[place]} and {path} are the same path")
        places[place] = path
    for place, path in places.items():
        above = [place[:end] for end, letter in enumerate(place) if letter == "/"]
        if taken := [each for each in above if each in places]:
            raise invalid(f"asset {path} is below the file {places[taken[0]]}")


def _check_entry(path: str, entry: Json) -> None:
    try:
        segments(path)
    except NotEncoded:
        raise ApiError(400, 10304, "Invalid manifest: Manifest path must be URI encoded.") from None
    except ValueError as error:
        raise invalid(f"asset {error}") from None
    name, size = (entry.get("hash"), entry.get("size")) if isinstance(entry, dict) else (None, None)
    if not isinstance(name, str) or not HASH.fullmatch(name) or type(size) is not int:
        raise invalid(f"asset {path} needs a hash of 32 hexadecimal characters and a size")
    if size > LARGEST_ASSET:
        raise invalid(f"asset {path} has {size} bytes, more than the limit of {LARGEST_ASSET // 1024**2} MiB per file")


def _buckets(missing: list[str], manifest: Manifest) -> list[list[str]]:
    sizes = {entry["hash"]: entry["size"] for entry in manifest.values()}
    buckets: list[list[str]] = []
    filled = 0
    for name in missing:
        if not buckets or len(buckets[-1]) == BUCKET_FILES or filled + sizes[name] > BUCKET_BYTES:
            buckets.append([])
            filled = 0
        buckets[-1].append(name)
        filled += sizes[name]
    return buckets


def _key(records: Records, vault: Vault) -> bytes:
    sealed = records.fact("session_key")
    if sealed is None:
        sealed = vault.seal(secrets.token_hex(32), PURPOSE)
        records.set_fact("session_key", sealed)
    return bytes.fromhex(vault.open(sealed, PURPOSE))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
