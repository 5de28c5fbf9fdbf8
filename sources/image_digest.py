"""The digest of an image that is built from a Dockerfile. An update builds the image if these inputs are new."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi

from artifacts.images import DockerfileImage
from settings import BackendSettings, digitalocean_endpoint
from stack_outputs import UNBUILT


def dockerfile_digest(backend: BackendSettings, project: Path) -> str:
    """Return the digest of the image of the checked-out sources, as `sha256:<64 hex>`.

    A preview builds nothing: if these inputs were never built, it returns `UNBUILT` and their hash. An update builds
    and pushes before any resource is registered, so that a failed build changes nothing. Raises ImageError.
    """
    image = DockerfileImage(backend, project, digitalocean_endpoint(), os.environ)
    if (known := image.digest()) is not None:
        return known
    if pulumi.runtime.is_dry_run():
        pulumi.log.info("the backend's image will be built: nobody has built what is checked out yet")
        return f"{UNBUILT}{image.inputs.hash}"
    pulumi.log.info("building the backend's image, which nobody has built from what is checked out yet")
    digest = image.make(lambda line: pulumi.log.info(f"backend | {line}"))
    pulumi.log.info(f"the backend's image is {image.registry.repository}@{digest}")
    return digest
