"""A websocket server on loopback that sends what a test scripted, one list of messages for each connection."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

STAY = object()
"""In place of a message: the connection stays open until the client leaves."""


@dataclass
class Streams:
    """Every connection gets its own list of messages (JSON), and is closed behind the last one."""

    scripts: list[Sequence[Any]]
    address: str = ""
    opened: list[str] = field(default_factory=list)
    """Paths that were asked for, in order."""
    heard: list[str] = field(default_factory=list)
    """The first message of each client that sent one."""

    def serve(self, socket: ServerConnection) -> None:
        assert socket.request
        self.opened.append(socket.request.path)
        messages = self.scripts.pop(0) if self.scripts else [STAY]
        try:
            if socket.subprotocol:
                self.heard.append(str(socket.recv(10)))
            for message in messages:
                if message is STAY:
                    socket.recv()
                else:
                    socket.send(json.dumps(message))
        except ConnectionClosed:
            pass


@contextmanager
def streaming(*scripts: Sequence[Any], protocol: str | None = None) -> Iterator[Streams]:
    """A server for as long as the block lasts; `protocol` is the only one that it speaks."""
    script = Streams(list(scripts))
    offered = [Subprotocol(protocol)] if protocol else None
    with serve(script.serve, "127.0.0.1", 0, subprotocols=offered) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        script.address = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
