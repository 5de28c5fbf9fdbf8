"""Faults for what passes the edge: kept and counted by its Node process, for no request passes through this one.

A Node process that is replaced after it died has none any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from localcloud.edge import Edge
from localcloud.faults import RequestFault


class EdgeFaults:
    """The faults with a host. Every method raises EdgeError when the edge is not running."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def add(self, faults: Sequence[RequestFault]) -> None:
        """In force when it returns; all or none."""
        if faults:
            await self._edge.ask("fault", descriptions=[asdict(fault) for fault in faults])

    async def left(self) -> list[dict[str, Any]]:
        """What is left of them, as JSON."""
        return list(await self._edge.ask("faults"))

    async def clear(self) -> None:
        """Forget all of them."""
        await self._edge.ask("clear")

    async def recorded(self) -> list[dict[str, Any]]:
        """Requests to recorded hosts, in the order in which they ended: {time, host, method, path, status, ms}."""
        return list(await self._edge.ask("seen"))

    async def passed(self, number: int) -> dict[str, Any]:
        """The last requests to any host after that of this number: {last: the newest one's number, requests: […]}."""
        return dict(await self._edge.ask("passed", number=number))

    async def forget(self) -> None:
        """Empties that list."""
        await self._edge.ask("forget")
