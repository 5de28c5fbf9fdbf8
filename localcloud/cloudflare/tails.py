"""Live events of a Worker for `wrangler tail`: a websocket that sends the trace of each invocation.

The traces are workerd's own, including its masking. Filters are those that wrangler sends (workers-sdk,
packages/wrangler/src/tail/filters.ts).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from localcloud.cloudflare.api import Api
from localcloud.cloudflare.errors import ApiError
from localcloud.cloudflare.responses import ok

Json = Any
PROTOCOL = "trace-v1"
LIFE = timedelta(hours=6)
MOST_WAITING = 1000
"""The most traces that wait for a slow reader; later ones are dropped."""
UNKNOWN, ENDED = 4404, 1001


@dataclass(frozen=True, kw_only=True)
class Tail:
    """One client that follows a Worker. The id is the secret that opens the websocket."""

    id: str
    script: str
    filters: list[Json]
    ends: datetime
    traces: asyncio.Queue[Json] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def shape(self, request: Request) -> Json:
        """Return the tail in the API's JSON form."""
        url = f"ws://{request.url.netloc}{request.scope['root_path']}/tails/{self.id}"
        return {"id": self.id, "url": url, "expires_at": self.ends.strftime("%Y-%m-%dT%H:%M:%SZ")}


class Tails:
    """The tails of all Workers. `hear` receives each trace and passes it to the tails that match."""

    def __init__(self) -> None:
        self._open: dict[str, Tail] = {}

    def of(self, script: str) -> list[Tail]:
        """Return a Worker's open tails."""
        now = datetime.now(UTC)
        return [tail for tail in self._open.values() if tail.script == script and tail.ends > now]

    def get(self, identifier: str) -> Tail | None:
        tail = self._open.get(identifier)
        return tail if tail and tail.ends > datetime.now(UTC) else None

    def add(self, script: str, filters: list[Json]) -> Tail:
        tail = Tail(id=secrets.token_hex(16), script=script, filters=filters, ends=datetime.now(UTC) + LIFE)
        self._open[tail.id] = tail
        return tail

    def drop(self, identifier: str) -> Tail | None:
        """Close a tail and its websocket."""
        tail = self._open.pop(identifier, None)
        if tail:
            tail.closed.set()
        return tail

    def forget(self, script: str) -> None:
        """Close the tails of a deleted Worker."""
        for tail in [each for each in self._open.values() if each.script == script]:
            self.drop(tail.id)

    def hear(self, script: str, version: str, traces: list[Json]) -> None:
        for trace in traces:
            whole = {"scriptVersion": {"id": version}, "logs": [], "exceptions": [], **trace, "scriptName": script}
            for tail in self.of(script):
                if all(passes(each, whole) for each in tail.filters):
                    with contextlib.suppress(asyncio.QueueFull):
                        tail.traces.put_nowait(whole)


def passes(filter_: Mapping[str, Json], trace: Json) -> bool:
    """Return whether a trace passes one filter; an unknown kind of filter lets all pass."""
    kind: str = next(iter(filter_), "")
    value: Json = filter_.get(kind)
    request = (trace.get("event") or {}).get("request") or {}
    headers = {str(name).lower(): str(text) for name, text in (request.get("headers") or {}).items()}
    if kind == "sampling_rate":
        return random.random() < float(value)
    if kind == "outcome":
        return trace["outcome"] in value
    if kind == "method":
        return request.get("method") in ([value] if isinstance(value, str) else value)
    if kind == "header":
        found = headers.get(str(value["key"]).lower())
        return found is not None and str(value.get("query") or "") in found
    if kind == "client_ip":
        return headers.get("cf-connecting-ip") in value or "self" in value
    if kind == "query":
        return any(value in str(part) for log in trace["logs"] for part in log["message"])
    return kind != "scriptVersion" or trace["scriptVersion"]["id"] == value


async def tails(request: Request, api: Api) -> Response:
    """List the tails."""
    name = api.workers.script(request.path_params["script"]).name
    return ok([tail.shape(request) for tail in api.tails.of(name)])


async def open_tail(request: Request, api: Api) -> Response:
    """Open a tail: {"filters": […]}."""
    name = api.workers.script(request.path_params["script"]).name
    try:
        fields = await request.json() if await request.body() else {}
        filters = [dict(each) for each in fields.get("filters") or []]
    except (ValueError, TypeError, AttributeError):
        raise ApiError(400, 10026, "Could not parse the tail's filters.") from None
    tail = api.tails.add(name, filters)
    await api.workers.runtime.follow(name, wanted=True)  # before the response: the client's next request must be traced
    return ok(tail.shape(request))


async def close_tail(request: Request, api: Api) -> Response:
    """Close a tail."""
    tail = api.tails.drop(request.path_params["tail"])
    if tail is None:
        raise ApiError(404, 10057, "This tail does not exist.")
    if not api.tails.of(tail.script):
        await api.workers.runtime.follow(tail.script, wanted=False)
    return ok(None)


async def follow(websocket: WebSocket, api: Api) -> None:
    """Serve the websocket /tails/{tail}: send traces until the tail is closed or the client leaves."""
    tail = api.tails.get(websocket.path_params["tail"])
    if tail is None:
        await websocket.close(UNKNOWN)
        return
    offered = websocket.scope.get("subprotocols", [])
    await websocket.accept(PROTOCOL if PROTOCOL in offered else None)
    left = (tail.ends - datetime.now(UTC)).total_seconds()
    tasks = [asyncio.create_task(each) for each in (_send(websocket, tail), tail.closed.wait(), _gone(websocket))]
    await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    gone = tasks[-1].done()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if not gone:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await websocket.close(ENDED)


async def _send(websocket: WebSocket, tail: Tail) -> None:
    while True:
        await websocket.send_json(await tail.traces.get())


async def _gone(websocket: WebSocket) -> None:
    """Wait until the client has left; its messages are ignored."""
    with contextlib.suppress(WebSocketDisconnect):
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
