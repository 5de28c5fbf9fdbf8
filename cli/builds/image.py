"""The image of a stack's backend: its build from a Dockerfile, and the check that its registry has a digest."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import advice
from artifacts.images import DockerfileImage, registry_of
from cli.engine import local_cloud
from cli.engine.workspace import Stack, exports
from cli.ui.errors import CommandError
from clients.cloud_api import is_token
from clients.http import client, httpx
from errors import Help, UserError
from stack_outputs import Release, short_digest
from storage.releases.store import DeployedRelease

SECONDS = 20.0


def image_of(stack: Stack) -> DockerfileImage:
    """Return the image that the stack's settings build from a Dockerfile. Raises ArtifactError."""
    return DockerfileImage(stack.settings().backend, stack.project, stack.digitalocean, _environment(stack))


def refuse_lost(stack: Stack, release: Release, runs: str | None, *helps: Help) -> None:
    """Raise CommandError if the stack's registry does not have the release's image, or does not answer.

    The image that the stack `runs` already is not checked. `helps` are the alternatives to offer.
    """
    digest = release["backend"]
    if digest == runs or has_image(stack, digest):
        return
    raise CommandError(
        f"{_registry(stack)} no longer has the backend's image {short_digest(digest)} of this release, "
        f"so {stack.name} cannot "
        "run it, and nothing was changed.",
        *helps,
    )


def has_image(stack: Stack, digest: str) -> bool:
    """Return whether the stack's registry has an image; packed ones are in the release archive. Raises UserError."""
    image = stack.settings().backend.image
    if image.is_packed:
        return True
    if stack.on_local_cloud and image.host is None:
        return _is_in_store(stack, digest, image.repository)
    return registry_of(image, stack.digitalocean, _environment(stack)).digest(digest) is not None


def runnable(stack: Stack, releases: Sequence[DeployedRelease]) -> tuple[list[DeployedRelease], list[str]]:
    """Return the releases whose images exist, and a text for each release whose image does not exist."""
    try:
        exists = {digest: has_image(stack, digest) for digest in {each.receipt["backend"] for each in releases}}
    except UserError as error:
        unknown = UserError("It is unknown whether the images of these releases still exist.", cause=error)
        return list(releases), [advice.text(unknown, stack.name, f"oracle rollback {stack.name} --list")]
    lost = [each for each in releases if not exists[each.receipt["backend"]]]
    sentences = [
        f"The release {each.id} of {stack.name} cannot be deployed: {_registry(stack)} no longer has its image."
        for each in lost
    ]
    return [each for each in releases if each not in lost], sentences


def _registry(stack: Stack) -> str:
    image = stack.settings().backend.image
    if stack.on_local_cloud and image.host is None:
        return f"The local cloud's image store for {image.repository}"
    return f"The registry of {image.declared_registry or image.registry_type}, repository {image.repository},"


def _is_in_store(stack: Stack, digest: str, repository: str) -> bool:
    token = _environment(stack).get("DIGITALOCEAN_TOKEN", "")
    headers = {"Authorization": f"Bearer {token}"} if is_token(token) else {}
    try:
        with client(SECONDS, headers) as http:
            answer = http.head(f"{stack.endpoint}/_cloud/images/{digest}", params={"repository": repository})
    except httpx.HTTPError:
        raise local_cloud.not_running(stack) from None
    return answer.status_code == 200


def _environment(stack: Stack) -> Mapping[str, str]:
    return {**os.environ, **exports(stack)}
