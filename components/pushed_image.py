"""A backend image in an image store: pushed when its digest changes, and again if the store lost it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, UpdateResult

from artifacts.contents import ArtifactError, image_digest, pack_image
from clients.cloud_api import is_token
from clients.http import client, httpx
from errors import Remedy, UserError
from lifecycle.errors import Provider
from stack_outputs import ADOPTED
from storage.releases import Item, place

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import Settings


@dataclass(frozen=True, kw_only=True)
class ImageArgs:
    directory: pulumi.Input[str]
    """The directory that is packed, relative to the project."""
    run: Sequence[pulumi.Input[str]]
    """The image's command: a program and its arguments."""
    repository: pulumi.Input[str]
    """The image's name in the store."""
    digest: pulumi.Input[str]
    """The digest of the packed image, `sha256:<64 hex>`."""
    store: pulumi.Input[str]
    """The URL of the image store."""
    endpoint: pulumi.Input[str]
    """The origin of DigitalOcean's API. Only a store with the same origin gets the API's token."""

    @classmethod
    def of(cls, settings: Settings, digest: str) -> ImageArgs | None:
        """Return the arguments for a packed image; None if there is nothing to push: a registry has the image, or an
        adopted app runs it already.
        """
        from settings import digitalocean_endpoint

        image = settings.backend.image
        if image.path is None or image.store is None or digest.startswith(ADOPTED):
            return None
        return cls(
            directory=image.path,
            run=image.run,
            repository=image.repository,
            digest=digest,
            store=image.store,
            endpoint=digitalocean_endpoint(),
        )


class ImageProvider(Provider):
    """Pushes a packed directory. Reads the token from the environment at run time and does not store it."""

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        changed = any(_olds.get(key) != _news.get(key) for key in ("digest", "repository", "store"))
        return DiffResult(changes=changed or not _is_stored(_news))

    def create(self, props: dict[str, Any]) -> CreateResult:
        _push(props)
        return CreateResult(id_=props["repository"], outs=props)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        _push(_news)
        return UpdateResult(outs=_news)


class PushedImage(Resource, name="PushedImage"):
    """Produces `digest` once the store has the image. Paths in its state are relative, so they do not depend on the
    machine.
    """

    digest: pulumi.Output[str]

    def __init__(self, name: str, args: ImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(ImageProvider(), name, {**vars(args), "run": list(args.run)}, opts)


def _is_stored(props: dict[str, Any]) -> bool:
    """Return whether the store has the image. True if the store does not answer: then a push would fail too."""
    try:
        with client(timeout=10, headers=_headers(props)) as http:
            return http.head(f"{props['store']}/{props['digest']}").status_code != 404
    except httpx.HTTPError:
        return True


def _push(props: dict[str, Any]) -> None:
    packed = _packed_image(props)
    url = f"{props['store']}/{props['digest']}"
    try:
        with client(timeout=300, headers=_headers(props)) as http:
            response = http.put(url, content=packed, params={"repository": props["repository"]})
    except httpx.HTTPError as error:
        raise UserError(
            f"The image store at {props['store']} does not answer ({type(error).__name__}).", Remedy.START_LOCAL_CLOUD
        ) from None
    if response.status_code >= 300:
        raise UserError(
            f"The image store at {props['store']} refused {props['repository']} (status {response.status_code}).",
            Remedy.READ_LOCAL_CLOUD_LOG,
        )


def _packed_image(props: dict[str, Any]) -> bytes:
    """Return the image that this run packed or fetched for a receipt; else pack it from its directory."""
    archived = place(
        Path.cwd(), Item(kind="image", digest=props["digest"].removeprefix("sha256:"), services=("backend",))
    )
    if archived.is_file() and image_digest(archived.read_bytes()) == props["digest"]:
        return archived.read_bytes()
    directory = Path(props["directory"])
    try:
        packed = pack_image(directory, props["run"])
    except ArtifactError as error:
        raise UserError(f"The image of {directory} could not be packed.", cause=error) from None
    if image_digest(packed) != props["digest"]:
        raise UserError(f"{directory} changed while it was being pushed.", Remedy.RETRY)
    return packed


def _headers(props: dict[str, Any]) -> dict[str, str]:
    """Return DigitalOcean's token for a store that is a part of its API; nothing for a store on another host."""
    store, api, token = urlsplit(props["store"]), urlsplit(props["endpoint"]), os.environ.get("DIGITALOCEAN_TOKEN", "")
    is_digitalocean = (store.scheme, store.netloc) == (api.scheme, api.netloc)
    return {"Authorization": f"Bearer {token}"} if is_digitalocean and is_token(token) else {}
