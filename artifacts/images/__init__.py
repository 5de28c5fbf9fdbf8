"""The backend's image in a container registry: built once for each state of a Dockerfile's inputs, pinned by digest."""

from artifacts.images.builder import Builder
from artifacts.images.dockerfile import DockerfileImage
from artifacts.images.errors import ImageError
from artifacts.images.registry import Registry, registry_of

__all__ = ["Builder", "DockerfileImage", "ImageError", "Registry", "registry_of"]
