"""Websocket connections, with the proxies and certificates of all other requests (clients/http.py)."""

from __future__ import annotations

import socket as sockets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from clients.http import proxy_for, tls_context

__all__ = ["BROKEN", "ClientConnection", "connected"]

BROKEN = (OSError, WebSocketException)
"""Errors of a connection that failed or ended. Their texts may contain the address, and with it a token."""
LARGEST = 16 << 20
SILENT_MILLISECONDS = 60_000
"""How long sent data may be unacknowledged, so that a lost network is not mistaken for a quiet service."""


@contextmanager
def connected(
    url: str, seconds: float, *, protocol: str | None = None, ping: float | None = None, largest: int | None = LARGEST
) -> Iterator[ClientConnection]:
    """Connect within `seconds`, and close the connection at the end of the block. Raises one of `BROKEN`.

    `ping` is the number of seconds between two pings, and for the answer to each; None sends no pings. `largest` is the
    limit of a message in bytes; None is no limit.
    """
    proxy = proxy_for(url)
    with connect(
        url,
        open_timeout=seconds,
        close_timeout=2,
        ping_interval=ping,
        ping_timeout=ping,
        max_size=largest,
        proxy=proxy.address if proxy else None,
        ssl=tls_context() if url.startswith("wss:") else None,
        subprotocols=[Subprotocol(protocol)] if protocol else None,
    ) as connection:
        if hasattr(sockets, "TCP_USER_TIMEOUT"):
            with suppress(OSError):  # the other side has closed it already, and what it has sent is still to be read
                connection.socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_USER_TIMEOUT, SILENT_MILLISECONDS)
        yield connection
