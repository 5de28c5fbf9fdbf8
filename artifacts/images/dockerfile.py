"""An image that is built from a Dockerfile once for each state of its inputs.

The registry itself is the record: the image of these inputs has the tag `inputs-<hash>`. Whoever has the same inputs
finds it there and builds nothing, on whatever machine. A tag also keeps a registry from clearing the image away.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from artifacts.images.builder import Builder, Line
from artifacts.images.errors import ImageError
from artifacts.images.inputs import Inputs
from artifacts.images.registry import Registry, registry_of
from settings import BackendSettings

SHORT = 12


class DockerfileImage:
    """The image of a backend whose settings have `image.build`. Everything raises ImageError."""

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
        """The digest of the image that was built of these inputs; None where nobody has."""
        return self.registry.digest(self.tag)

    def make(self, line: Line, *, again: bool = False) -> str:
        """Builds and pushes the image, and returns its digest; only pushes nothing where the registry has it by now.

        `again` makes another image of the same inputs. The one before keeps a tag of its own, so that a rollback finds
        it.
        """
        builder, name = Builder.found(self._environment), self.registry.repository.tagged(self.tag)
        builder.build(self.inputs, name, line)
        before = self.digest()
        if before is not None and not again:
            line(f"{name} was pushed by somebody else meanwhile, and is taken")
            return before
        if before is not None:
            self.registry.tag(before, f"before-{before.removeprefix('sha256:')[:SHORT]}")
        builder.push(self.registry.repository, name, self.registry.login(), line)
        after = self.digest()
        if after is None:
            raise ImageError(
                f"{builder.program} has pushed {name}, and the registry does not have it; try again: oracle build "
                "backend"
            )
        return after
