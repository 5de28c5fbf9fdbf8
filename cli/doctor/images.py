"""The backend's image: what builds it here, and whether its registry can be read and has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from artifacts.folders import ArtifactError
from artifacts.images import Builder, DockerfileImage, registry_of
from cli.doctor.model import Finding, from_message
from cli.engine.workspace import Stack
from settings import Settings
from storage.releases import short

REMEDY = "oracle doctor"


def image(stack: Stack, settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Nothing is said of an image that is packed from a directory, or of a backend made by hand."""
    backend = settings.backend
    if backend.adopted or backend.image.is_packed or (stack.on_local_cloud and backend.image.host is None):
        return
    try:
        if backend.image.build is not None and settings.receipt is None:
            yield from _of_dockerfile(stack, settings, environment)
        else:
            yield _pinned(stack, settings, environment)
    except ArtifactError as error:
        yield from_message("image", str(error).partition("\n")[0], REMEDY)


def _of_dockerfile(stack: Stack, settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    wanted = DockerfileImage(settings.backend, stack.project, stack.digitalocean, environment)
    known = wanted.digest()
    what = f"is {short(known)}" if known else "is not built yet: an update builds it"
    yield Finding("image", "ok", f"{wanted.registry.repository} can be read; what is checked out {what}")
    if known is None:
        yield Finding("image", "ok", f"{Builder.found(environment).program} can build it")


def _pinned(stack: Stack, settings: Settings, environment: Mapping[str, str]) -> Finding:
    receipt = settings.receipt
    digest = (receipt.backend if receipt else settings.backend.image.digest) or ""
    registry = registry_of(settings.backend.image, stack.digitalocean, environment)
    if registry.digest(digest) is None:
        what = f"{registry.repository} does not have {short(digest)}, which is declared"
        return Finding("image", "fail", what, f"docker push {registry.repository}")
    return Finding("image", "ok", f"{registry.repository} has {short(digest)}")
