"""Websockets to the clouds: by the proxies and with the certificates of every other request (clients/http.py)."""

from __future__ import annotations

import socket as sockets
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from clients.http import proxy_for, tls_context

__all__ = ["BROKEN", "ClientConnection", "connected"]

BROKEN = (OSError, WebSocketException)
"""What a connection that cannot be made, or has ended, raises. The texts may hold the address, and so a token."""
LARGEST = 16 << 20
SILENT_MILLISECONDS = 60_000
"""How long what was sent may stay unacknowledged: a network that is gone must not look like a quiet service."""


@contextmanager
def connected(
    url: str, seconds: float, *, protocol: str | None = None, ping: float | None = None, largest: int | None = LARGEST
) -> Iterator[ClientConnection]:
    """A connection for as long as the block lasts, made within `seconds`. Raises one of `BROKEN`.

    `ping`: seconds between two pings, each of which must be answered within as many; None for a service of which
    nobody knows whether it answers them. `largest`: bytes of a message, None for no limit.
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
            connection.socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_USER_TIMEOUT, SILENT_MILLISECONDS)
        yield connection
