"""The Workers' stored data as the control plane reaches it: requests to the edge's storage, which has its own port.

Values can be 25 MiB large, so they travel by HTTP and not over the edge's JSON lines. The first request starts the
storage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

from localcloud.edge import Edge
from localcloud.edge_process import EdgeError

SECONDS = 60.0


@dataclass(frozen=True)
class Stored:
    """A response of the storage; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class EdgeStorage:
    """The client of the storage. Every method raises EdgeError when the edge or its storage does not answer."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def request(
        self, place: tuple[str, str], method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Stored:
        """Send a request to a simulator; `place` is (kind, id), as bindings name it."""
        known = await self._edge.ask("storage")
        marks = {"x-edge-key": known["secret"], "x-edge-storage": "/".join(place)}
        try:
            return await asyncio.to_thread(_ask, known["port"], method, path, {**headers, **marks}, body)
        except (OSError, HTTPException) as error:
            raise EdgeError(f"The storage of the local cloud did not answer ({error}).") from None

    async def erase(self, place: tuple[str, str]) -> None:
        """Delete everything in `place`. Its id must not be used again."""
        kind, identifier = place
        await self._edge.ask("erase", kind=kind, name=identifier)


def _ask(port: int, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Stored:
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        received = {name.lower(): value for name, value in answer.getheaders()}
        return Stored(answer.status, received, answer.read())
    finally:
        connection.close()
