"""What can go wrong with an image, as one sentence."""

from artifacts.folders import ArtifactError


class ImageError(ArtifactError):
    """An image that cannot be built, pushed or looked for; one sentence and the next command."""
