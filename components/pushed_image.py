"""A backend image in an image store: pushed when its digest changes, and again if the store lost it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, UpdateResult

from artifacts.contents import ArtifactError, image_digest, pack_image
from clients.cloud_api import is_token
from clients.http import client, httpx
from errors import UserError
from lifecycle.errors import Provider
from stack_outputs import ADOPTED
from storage.releases import Item, place

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import ImageSettings


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

    def __init__(
        self, name: str, image: ImageSettings, digest: str, endpoint: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        props = {
            "endpoint": endpoint,
            "directory": image.path,
            "run": list(image.run),
            "repository": image.repository,
            "digest": digest,
            "store": image.store,
        }
        super().__init__(ImageProvider(), name, props, opts)


def available_image(name: str, image: ImageSettings, digest: str) -> pulumi.Input[str]:
    """Return the digest, known once the image can be deployed: a packed image must be pushed first.

    An adopted app's image is deployed already, and needs no store.
    """
    if digest.startswith(ADOPTED):
        return digest
    if image.path is None:
        return digest
    from settings import digitalocean_endpoint

    return PushedImage(name, image, digest, digitalocean_endpoint()).digest


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
            f"The image store at {props['store']} does not answer ({type(error).__name__}); start it: "
            "oracle cloud start"
        ) from None
    if response.status_code >= 300:
        raise UserError(
            f"The image store at {props['store']} refused {props['repository']} (status "
            f"{response.status_code}); see: oracle cloud logs"
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
        raise UserError(str(error)) from None
    if image_digest(packed) != props["digest"]:
        raise UserError(f"{directory} changed while it was being pushed; try again: pulumi up")
    return packed


def _headers(props: dict[str, Any]) -> dict[str, str]:
    """Return DigitalOcean's token for a store that is a part of its API; nothing for a store on another host."""
    store, api, token = urlsplit(props["store"]), urlsplit(props["endpoint"]), os.environ.get("DIGITALOCEAN_TOKEN", "")
    is_digitalocean = (store.scheme, store.netloc) == (api.scheme, api.netloc)
    return {"Authorization": f"Bearer {token}"} if is_digitalocean and is_token(token) else {}
