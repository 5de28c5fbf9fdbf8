"""The addresses of logs and consoles that App Platform returns, and their handlers.

The addresses carry a token and need no other authorization. A finished log's address is signed, so it refuses a second
authorization. A log's token names the log and can be reused; a console's token works once, for a short time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from localcloud.cloud import Cloud
from localcloud.digitalocean.console import Console
from localcloud.digitalocean.containers import Container
from localcloud.digitalocean.runtime import Runtime
from localcloud.vault import VaultError

PURPOSE = "log address"
LOG_SECONDS = 3600
CONSOLE_SECONDS = 60
GONE = "this address has expired or was used already"
# The answer of the store behind App Platform's historic logs to a signed address with an Authorization header.
SIGNED_ALREADY = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>InvalidArgument</Code><Message>Only one auth mechanism '
    "allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header "
    "should be specified</Message><ArgumentName>Authorization</ArgumentName></Error>"
)
FAILED = 1011
REFUSED = 1008


@dataclass(frozen=True)
class Ticket:
    """A requested console that was not opened yet."""

    app: str
    container: Container
    until: float


class Streams:
    """Issues addresses and serves them, for plain HTTP and, at the same address, for websockets."""

    def __init__(self, cloud: Cloud, runtime: Runtime) -> None:
        self._cloud = cloud
        self._runtime = runtime
        self._tickets: dict[str, Ticket] = {}

    def routes(self) -> list[BaseRoute]:
        """Return the routes below /_cloud; logs also answer websockets, because doctl follows them that way."""
        return [
            Route("/_cloud/logs/{name}", self._log, methods=["GET"]),
            WebSocketRoute("/_cloud/logs/{name}", self._log_socket),
            WebSocketRoute("/_cloud/console", self._console),
        ]

    def log_address(self, name: str, tail: int, *, follow: bool = False, historic: bool = False) -> str:
        """Return an address of a log, valid for an hour; a `historic` one is a signed address of a store."""
        ticket = {
            "name": name,
            "follow": follow,
            "tail": tail,
            "historic": historic,
            "until": time.time() + LOG_SECONDS,
        }
        token = self._cloud.vault.seal(json.dumps(ticket), PURPOSE)
        return f"{self._cloud.api}/_cloud/logs/{name.rsplit('/', 1)[-1]}?token={token}"

    def console_address(self, app: str, container: Container) -> str:
        """Return an address of one shell in this container, valid for a minute."""
        now = time.monotonic()
        self._tickets = {token: ticket for token, ticket in self._tickets.items() if ticket.until > now}
        token = secrets.token_urlsafe(32)
        self._tickets[token] = Ticket(app, container, now + CONSOLE_SECONDS)
        return f"ws://127.0.0.1:{self._cloud.port}/_cloud/console?token={token}"

    def _read(self, token: str) -> dict[str, Any] | None:
        try:
            ticket: dict[str, Any] = json.loads(self._cloud.vault.open(token, PURPOSE))
        except VaultError:
            return None
        return ticket if ticket["until"] > time.time() else None

    async def _log(self, request: Request) -> Response:
        ticket = self._read(request.query_params.get("token", ""))
        if ticket is None:
            return PlainTextResponse(GONE, 403)
        if ticket.get("historic") and "authorization" in request.headers:
            return Response(SIGNED_ALREADY, 400, media_type="application/xml")
        pieces = self._runtime.book.read(ticket["name"], ticket["follow"], ticket["tail"])
        return StreamingResponse(pieces, media_type="text/plain; charset=utf-8")

    async def _log_socket(self, socket: WebSocket) -> None:
        """Send every line as {"data": line}, then close normally."""
        ticket = self._read(socket.query_params.get("token", ""))
        if ticket is None:
            await socket.close(REFUSED, GONE)
            return
        await socket.accept()
        sending = asyncio.create_task(self._send_log(socket, ticket))
        listening = asyncio.create_task(_until_gone(socket))
        await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, listening):
            task.cancel()
        if not listening.done():
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await socket.close()

    async def _send_log(self, socket: WebSocket, ticket: dict[str, Any]) -> None:
        async for piece in self._runtime.book.read(ticket["name"], ticket["follow"], ticket["tail"]):
            for line in piece.splitlines(keepends=True):
                await socket.send_text(json.dumps({"data": line}))

    async def _console(self, socket: WebSocket) -> None:
        ticket = self._tickets.pop(socket.query_params.get("token", ""), None)
        if ticket is None or ticket.until < time.monotonic():
            await socket.close(REFUSED, GONE)
            return
        await socket.accept()
        if fault := self._cloud.faults.take_step(ticket.app, "exec"):
            await asyncio.sleep(fault.delay)
            if fault.fails:
                await socket.close(FAILED, fault.message or "fault: the console fails on request")
                return
        if not ticket.container.running:
            await socket.close(FAILED, "the instance is not running any more")
            return
        await Console(socket, ticket.container).run()


async def _until_gone(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
