"""One ASGI app for all endpoints: DigitalOcean at /v2, Cloudflare at /client/v4, the local cloud's own at /_cloud."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from localcloud import control, digitalocean
from localcloud.cloud import Cloud
from localcloud.cloudflare.routes import routes as cloudflare_routes
from localcloud.cloudflare.startup import start as start_workers
from localcloud.cloudflare.startup import stop as stop_workers
from localcloud.faults import RequestFault
from localcloud.request_log import Entry
from localcloud.tolerance import TolerantProtocol


def application(cloud: Cloud, platform: digitalocean.Platform) -> ASGIApp:
    """Build the control plane: the routes of both clouds and our own, wrapped with faults and the request log."""
    routes: list[BaseRoute] = [
        *control.routes(cloud, platform),
        Mount("/client/v4", routes=cloudflare_routes(cloud)),
        *digitalocean.routes(cloud, platform),
    ]
    return Observed(Starlette(routes=routes, exception_handlers=digitalocean.handlers()), cloud)


async def serve(cloud: Cloud, listener: socket.socket) -> None:
    """Start the edge, the Workers and the apps, serve until SIGTERM or SIGINT, then stop them all.

    Raises EdgeError when the edge does not start. A signal during the start ends the start.
    """
    platform = digitalocean.Platform(cloud)
    server = Server(application(cloud, platform))
    server.heed_signals()
    try:
        await server.unless_leaving(_start(cloud, platform))
        if not server.should_exit:
            await server.serve([listener])
    finally:
        await stop_workers(cloud)
        await asyncio.gather(platform.stop(), cloud.edge.stop())
        cloud.store.close()


async def _start(cloud: Cloud, platform: digitalocean.Platform) -> None:
    await cloud.edge.start()
    await asyncio.gather(start_workers(cloud), platform.start())


class Server(uvicorn.Server):
    """A server that ends with status 0 after SIGTERM or SIGINT, instead of dying of the signal."""

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app,
            ws=TolerantProtocol,
            lifespan="off",
            log_level="warning",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self._starting: asyncio.Task[None] | None = None

    def heed_signals(self) -> None:
        """Make both signals request the same graceful end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)

    async def unless_leaving(self, starting: Coroutine[Any, Any, None]) -> None:
        """Wait for the start to finish, or for a signal that cancels it."""
        self._starting = asyncio.create_task(starting)
        try:
            await self._starting
        except asyncio.CancelledError:
            if not self.should_exit:
                raise

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: `heed_signals` has installed the handlers."""
        yield

    def _leave(self) -> None:
        self.should_exit = True
        if self._starting:
            self._starting.cancel()


class Observed:
    """Applies faults to requests and logs them, except those for the console page or /_cloud."""

    def __init__(self, app: ASGIApp, cloud: Cloud) -> None:
        self._app = app
        self._cloud = cloud

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/" or scope["path"].startswith("/_cloud"):
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            fault = self._cloud.faults.take_request(scope["method"], scope["path"])
            lost = fault is not None and fault.drop == "answer"
            if not await self._failed(fault, scope, send, watched):
                await self._app(scope, receive, _nowhere if lost else watched)
                if lost:
                    _hang_up(send)
        finally:
            self._note(scope, status, started)

    async def _failed(self, fault: RequestFault | None, scope: Scope, send: Send, watched: Send) -> bool:
        """Wait as the fault requires; return True when it has answered or dropped this request."""
        delay = self._cloud.faults.latency(scope["path"]) + (fault.delay if fault else 0)
        if delay:
            await asyncio.sleep(delay)
        if fault and fault.drop is True:
            _hang_up(send)
            return True
        if fault and not fault.drop and fault.status is not None:
            await _answer(fault, fault.status, scope, watched)
            return True
        return False

    def _note(self, scope: Scope, status: int, started: float) -> None:
        spent = round((time.perf_counter() - started) * 1000, 1)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._cloud.requests.add(Entry(now, scope["method"], scope["path"], status, spent))


async def _answer(fault: RequestFault, status: int, scope: Scope, send: Send) -> None:
    body = fault.body
    if body is None:
        body = digitalocean.fault_body(status) if scope["path"].startswith("/v2") else cloudflare_body(status)
    response = digitalocean.reply(body, status, fault.headers)
    await response(scope, _nothing, send)


def cloudflare_body(status: int) -> dict[str, Any]:
    """Return Cloudflare's error envelope, for a fault without a body."""
    error = {"code": 10000 + status, "message": f"fault: {status} on request"}
    return {"success": False, "errors": [error], "messages": [], "result": None}


def _hang_up(send: Send) -> None:
    """Cut the connection without an answer; uvicorn's own `send` knows its transport."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()


async def _nowhere(_: Message) -> None:
    """Discard a message, for answers that a fault loses."""


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
