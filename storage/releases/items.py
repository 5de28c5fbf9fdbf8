"""The items of a release: each Worker's module, each site's files, and the packed image, with their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from artifacts.contents import ArtifactError, packed_assets_digest
from errors import Remedy, UserError
from stack_outputs import ADOPTED, Release, in_order, short_digest

Kind = Literal["module", "assets", "image"]


class ReleaseError(UserError):
    """Bytes of a release are missing or wrong."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item of a release. Services may share an item, as the sites share their module."""

    kind: Kind
    digest: str
    """64 hex digits: the digest of the module's text, of the packed image, or of the site's manifest with its rules."""
    services: tuple[str, ...]

    @property
    def name(self) -> str:
        """The relative path in a store and in the local cache: `module/<digest>`."""
        return f"{self.kind}/{self.digest}"

    def check(self, path: Path) -> None:
        """Raise ReleaseError when the file's digest is not the item's."""
        try:
            digest = packed_assets_digest(path) if self.kind == "assets" else _sha256(path)
        except (ArtifactError, OSError) as error:
            raise ReleaseError(
                f"The stored bytes of {self.label()} cannot be read.", Remedy.LIST_RELEASES, cause=error
            ) from None
        if digest != self.digest:
            problem = f"The stored bytes of {self.label()} are damaged: their digest is {short_digest(digest)}."
            raise ReleaseError(problem, Remedy.LIST_RELEASES)

    def label(self) -> str:
        """Describe the item: `the module of web, universe (1a2b3c4d5e6f)`."""
        named = {"module": "module", "assets": "files", "image": "image"}[self.kind]
        return f"the {named} of {', '.join(self.services)} ({short_digest(self.digest)})"


def named(receipt: Mapping[str, Any]) -> Release:
    """Read a stored receipt, with its services in display order. Raises LookupError."""
    workers, assets, commits = receipt["workers"], receipt["assets"], receipt.get("commits") or {}
    return Release(
        backend=receipt["backend"],
        workers={name: workers[name] for name in in_order({"api", *workers})},
        assets={name: assets[name] for name in in_order(assets)},
        commits={name: commits.get(name, "") for name in in_order({"backend", *workers})},
    )


def items(release: Release, *, packed: bool) -> list[Item]:
    """Return the items of a release that a store can hold.

    The image is among them only if it is `packed` from a directory, because a registry stores its own images. Adopted
    services that were never deployed by this program have no items.
    """
    named: list[tuple[Kind, str, str]] = [("module", digest, name) for name, digest in release["workers"].items()]
    named += [("assets", digest, name) for name, digest in release["assets"].items()]
    if packed:
        named.append(("image", release["backend"].removeprefix("sha256:"), "backend"))
    services_by_item: dict[tuple[Kind, str], list[str]] = {}
    for kind, digest, service in named:
        if not digest.startswith(ADOPTED):
            services_by_item.setdefault((kind, digest), []).append(service)
    return [Item(kind=kind, digest=digest, services=tuple(names)) for (kind, digest), names in services_by_item.items()]


def same_bytes(one: Release, other: Release) -> bool:
    """Return whether two receipts name the same bytes. The commits are not compared."""
    keys: tuple[Literal["backend"], Literal["workers"], Literal["assets"]] = ("backend", "workers", "assets")
    return all(one[key] == other[key] for key in keys)


def adopted(release: Release) -> list[str]:
    """Return the adopted services that this program has not deployed yet. The receipt does not name their bytes."""
    parts = {"backend": release["backend"], **release["workers"]}
    return [service for service, digest in parts.items() if digest.startswith(ADOPTED)]


def digests(release: Release) -> dict[str, str]:
    """Return one digest for each service: of the image, of a site's files, of any other Worker's module."""
    return {"backend": release["backend"], **release["workers"], **release["assets"]}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
