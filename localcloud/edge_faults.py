"""Faults for requests that pass the edge. The Node process stores and counts them, because it alone sees these
requests.

They are lost when the Node process dies and is replaced.
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
        """Add all faults or none; they are in force on return."""
        if faults:
            await self._edge.ask("fault", descriptions=[asdict(fault) for fault in faults])

    async def left(self) -> list[dict[str, Any]]:
        """Return the remaining faults as JSON."""
        return list(await self._edge.ask("faults"))

    async def clear(self) -> None:
        """Remove all faults."""
        await self._edge.ask("clear")

    async def recorded(self) -> list[dict[str, Any]]:
        """Return the requests to recorded hosts in the order of their end: {time, host, method, path, status, ms}."""
        return list(await self._edge.ask("seen"))

    async def passed(self, number: int) -> dict[str, Any]:
        """Return the requests after number `number`, to any host: {last: the newest one's number, requests: […]}."""
        return dict(await self._edge.ask("passed", number=number))

    async def forget(self) -> None:
        """Empty that list."""
        await self._edge.ask("forget")
