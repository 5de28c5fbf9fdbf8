"""App Platform at run time."""

from __future__ import annotations

from starlette.routing import BaseRoute

from localcloud.cloud import Cloud


class Streams:
    def routes(self) -> list[BaseRoute]:
        return []


class Platform:
    """Apps, deployments and containers of one local cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.streams = Streams()

    async def start(self) -> None:
        """Start what was running."""

    async def stop(self) -> None:
        """Stop all programs."""
