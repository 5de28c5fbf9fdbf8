"""The backend's image in a registry: built once for each set of inputs of its Dockerfile, and pinned by digest."""

from artifacts.images.builder import Builder
from artifacts.images.dockerfile import DockerfileImage
from artifacts.images.errors import ImageError
from artifacts.images.registry import Registry, registry_of

__all__ = ["Builder", "DockerfileImage", "ImageError", "Registry", "registry_of"]
