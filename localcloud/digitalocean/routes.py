"""The table of what is answered."""

from __future__ import annotations

from starlette.routing import BaseRoute

from localcloud.cloud import Cloud
from localcloud.digitalocean.platform import Platform


def routes(cloud: Cloud, platform: Platform) -> list[BaseRoute]:
    """All routes below /v2."""
    return []
