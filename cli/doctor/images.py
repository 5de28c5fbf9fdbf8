"""Check the backend's image: its builder on this machine, and its presence in the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from artifacts.folders import ArtifactError
from artifacts.images import Builder, DockerfileImage, registry_of
from cli.doctor.model import Finding, again, from_error
from cli.engine.workspace import Stack
from settings import Settings
from stack_outputs import short_digest


def image(stack: Stack, settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check the image. An image that is packed from a directory, or of an adopted backend, needs no check."""
    backend = settings.backend
    if backend.adopted or backend.image.is_packed or (stack.on_local_cloud and backend.image.host is None):
        return
    try:
        if backend.image.build is not None and settings.receipt is None:
            yield from _of_dockerfile(stack, settings, environment)
        else:
            yield _pinned(stack, settings, environment)
    except ArtifactError as error:
        yield from_error("image", error, stack.name, again(stack.name))


def _of_dockerfile(stack: Stack, settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    dockerfile = DockerfileImage(settings.backend, stack.project, stack.digitalocean, environment)
    digest = dockerfile.digest()
    what = f"is {short_digest(digest)}" if digest else "is not built yet: an update builds it"
    yield Finding("image", "ok", f"{dockerfile.registry.repository} can be read; what is checked out {what}")
    if digest is None:
        yield Finding("image", "ok", f"{Builder.found(environment).program} can build it")


def _pinned(stack: Stack, settings: Settings, environment: Mapping[str, str]) -> Finding:
    receipt = settings.receipt
    digest = (receipt.backend if receipt else settings.backend.image.digest) or ""
    registry = registry_of(settings.backend.image, stack.digitalocean, environment)
    if registry.digest(digest) is None:
        what = f"{registry.repository} does not have {short_digest(digest)}, which is declared"
        return Finding("image", "fail", what, f"docker push {registry.repository}")
    return Finding("image", "ok", f"{registry.repository} has {short_digest(digest)}")
