"""The error of the images package."""

from artifacts.folders import ArtifactError


class ImageError(ArtifactError):
    """An image cannot be built, pushed or found."""
