"""The backend's image in a container registry: built once for each state of a Dockerfile's inputs, pinned by digest."""

from images.builder import Builder
from images.dockerfile import DockerfileImage
from images.errors import ImageError
from images.registry import Registry, registry_of

__all__ = ["Builder", "DockerfileImage", "ImageError", "Registry", "registry_of"]
