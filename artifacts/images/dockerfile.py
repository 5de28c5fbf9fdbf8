"""An image that is built from a Dockerfile once for each set of inputs.

The image has the tag `inputs-<hash>` in the registry. Another machine with the same inputs finds it there and does not
build it again. The tag also protects the image from the registry's garbage collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from artifacts.images.builder import Builder, Line
from artifacts.images.errors import ImageError
from artifacts.images.inputs import Inputs
from artifacts.images.registry import Registry, registry_of
from errors import Remedy
from settings import BackendSettings

SHORT = 12


class DockerfileImage:
    """The image of a backend whose settings have `image.build`. Every method raises ImageError."""

    def __init__(self, backend: BackendSettings, project: Path, endpoint: str, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.inputs = Inputs.of(backend, project)
        self._image, self._endpoint = backend.image, endpoint

    @cached_property
    def registry(self) -> Registry:
        return registry_of(self._image, self._endpoint, self._environment)

    @property
    def tag(self) -> str:
        return f"inputs-{self.inputs.hash}"

    def digest(self) -> str | None:
        """Return the digest of the image of these inputs; None if it was not built yet."""
        return self.registry.digest(self.tag)

    def make(self, line: Line, *, again: bool = False) -> str:
        """Build and push the image, and return its digest. Nothing is pushed if the registry has it after the build.

        `again` replaces an image of the same inputs. The former image gets a tag of its own, so that a rollback still
        finds it.
        """
        builder, name = Builder.found(self._environment), self.registry.repository.tagged(self.tag)
        builder.build(self.inputs, name, line)
        before = self.digest()
        if before is not None and not again:
            line(f"{name} was pushed by another machine meanwhile, and is used")
            return before
        if before is not None:
            self.registry.tag(before, f"before-{before.removeprefix('sha256:')[:SHORT]}")
        builder.push(self.registry.repository, name, self.registry.login(), line)
        after = self.digest()
        if after is None:
            problem = f"{builder.program} has pushed {name}, but the registry does not have it."
            raise ImageError(problem, Remedy.RETRY)
        return after
