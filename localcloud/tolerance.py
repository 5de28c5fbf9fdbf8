"""Websockets that accept unmasked frames on tails, as Cloudflare does.

`wrangler tail` sends its first message without a mask (workers-sdk, packages/wrangler/src/tail/createTail.ts). RFC
6455, section 5.1, forbids that to a client, and every correct server closes the connection. Cloudflare does not.
"""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

TAILS = b"/tails/"
NO_CHANGE = bytes(4)
MASKED = 0x80
LENGTH = 0x7F
LONGER = {126: 2, 127: 8}
"""The number of length bytes that follow, by the length in the second byte."""


class TolerantProtocol(WebSocketsSansIOProtocol):
    """uvicorn's websocket protocol; the first data that it gets is the request."""

    _masks: Masks | None = None
    _begun = False

    def data_received(self, data: bytes) -> None:
        if not self._begun:
            self._begun = True
            self._masks = Masks() if TAILS in data.partition(b"\r\n")[0] else None
        elif self._masks:
            data = self._masks.added(data)
        if data:
            super().data_received(data)


class Masks:
    """Adds a mask of zeros, which changes nothing, to frames without one. Frames may come in pieces."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0  # remaining payload bytes of the current frame

    def added(self, data: bytes) -> bytes:
        """Return the frames masked. An incomplete head is buffered until the rest of it comes."""
        out = b""
        data, self._head = self._head + data, b""
        while data:
            if self._left:
                out, data, self._left = out + data[: self._left], data[self._left :], max(0, self._left - len(data))
                continue
            size = 2 + (LONGER.get(data[1] & LENGTH, 0) if len(data) > 1 else 0)
            if len(data) < size:
                self._head = data
                break
            length = int.from_bytes(data[2:size], "big") if size > 2 else data[1] & LENGTH
            masked = bool(data[1] & MASKED)
            head = bytes([data[0], data[1] | MASKED]) + data[2:size]
            out += head if masked else head + NO_CHANGE
            data, self._left = data[size:], length + (len(NO_CHANGE) if masked else 0)
        return out
