"""What a receipt names, one by one: a Worker's module, a site's files, a packed image; each with its own digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from artifacts.contents import ArtifactError, packed_assets_digest
from stack_outputs import ADOPTED, Release, in_order

Kind = Literal["module", "assets", "image"]


class ReleaseError(Exception):
    """Bytes that are not there, or not what they should be: one sentence."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """Bytes of a release. Two services may share them, as the sites share their module."""

    kind: Kind
    digest: str
    """64 hex digits: of the module's text, of the packed image, of the site's manifest (rules included)."""
    services: tuple[str, ...]

    @property
    def name(self) -> str:
        """Where they lie, in a store and on this machine: `module/<digest>`."""
        return f"{self.kind}/{self.digest}"

    def check(self, path: Path) -> None:
        """Raises ReleaseError when the file does not hold these bytes."""
        try:
            found = packed_assets_digest(path) if self.kind == "assets" else _sha256(path)
        except (ArtifactError, OSError) as error:
            raise ReleaseError(f"{self.told()} cannot be read ({error})") from None
        if found != self.digest:
            raise ReleaseError(f"{self.told()} has other bytes (its digest is {short(found)})")

    def told(self) -> str:
        """`the module of web, universe (1a2b3c4d5e6f)`"""
        named = {"module": "module", "assets": "files", "image": "image"}[self.kind]
        return f"the {named} of {', '.join(self.services)} ({short(self.digest)})"


def named(receipt: Mapping[str, Any]) -> Release:
    """A receipt as it was written down, its parts in the order in which services are shown. Raises LookupError."""
    workers, assets, commits = receipt["workers"], receipt["assets"], receipt.get("commits") or {}
    return Release(
        backend=receipt["backend"],
        workers={name: workers[name] for name in in_order({"api", *workers})},
        assets={name: assets[name] for name in in_order(assets)},
        commits={name: commits.get(name, "") for name in in_order({"backend", *workers})},
    )


def items(release: Release, *, packed: bool) -> list[Item]:
    """Everything that the receipt names and a store can hold: the image only where it is `packed` from a directory,
    since a registry keeps its own; nothing of a service that runs as it was made by hand.
    """
    named: list[tuple[Kind, str, str]] = [("module", digest, name) for name, digest in release["workers"].items()]
    named += [("assets", digest, name) for name, digest in release["assets"].items()]
    if packed:
        named.append(("image", release["backend"].removeprefix("sha256:"), "backend"))
    found: dict[tuple[Kind, str], list[str]] = {}
    for kind, digest, service in named:
        if not digest.startswith(ADOPTED):
            found.setdefault((kind, digest), []).append(service)
    return [Item(kind=kind, digest=digest, services=tuple(names)) for (kind, digest), names in found.items()]


def same_bytes(one: Release, other: Release) -> bool:
    """Whether two receipts name the same bytes, whatever commits they came from."""
    keys: tuple[Literal["backend"], Literal["workers"], Literal["assets"]] = ("backend", "workers", "assets")
    return all(one[key] == other[key] for key in keys)


def adopted(release: Release) -> list[str]:
    """The services whose bytes the receipt does not name, since they run as they were made by hand."""
    parts = {"backend": release["backend"], **release["workers"]}
    return [service for service, digest in parts.items() if digest.startswith(ADOPTED)]


def digests(release: Release) -> dict[str, str]:
    """What a release is known by: the image's digest, and of each Worker its files' or its module's."""
    return {"backend": release["backend"], **release["workers"], **release["assets"]}


def short(digest: str) -> str:
    """A digest as people read it."""
    return digest.removeprefix("sha256:")[:12]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
