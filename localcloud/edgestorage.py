"""What Workers keep, as the control plane reaches it: requests to the edge's storage, which is on a port of its own.

Values are as large as 25 MiB, so they travel by HTTP and not on the lines that the edge is spoken to by. The storage
is started by the first request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

from localcloud.edge import Edge, EdgeError

SECONDS = 60.0


@dataclass(frozen=True)
class Stored:
    """An answer of the storage; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class EdgeStorage:
    """Every method raises EdgeError when the edge or its storage does not answer."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def request(
        self, place: tuple[str, str], method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Stored:
        """The answer of a simulator; `place` is (kind, id), as bindings name it."""
        known = await self._edge.ask("storage")
        marks = {"x-edge-key": known["secret"], "x-edge-storage": "/".join(place)}
        try:
            return await asyncio.to_thread(_ask, known["port"], method, path, {**headers, **marks}, body)
        except (OSError, HTTPException) as error:
            raise EdgeError(f"The storage of the local cloud did not answer ({error}).") from None

    async def erase(self, place: tuple[str, str]) -> None:
        """Forgets all that is kept there; the id must not be used again."""
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
