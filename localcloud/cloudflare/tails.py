"""Live logs of a Worker, as `wrangler tail` follows them: a websocket that sends each console line as it is written."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from localcloud.cloudflare.api import Api
from localcloud.cloudflare.errors import ApiError
from localcloud.cloudflare.responses import ok

Json = Any
PROTOCOL = "trace-v1"
PAUSE = 0.2
HOURS = 6
OPEN: dict[str, str] = {}  # tail id -> Worker; the id is the secret that opens the websocket


async def tails(request: Request, api: Api) -> Response:
    """GET …/scripts/{script}/tails."""
    name = api.workers.script(request.path_params["script"]).name
    return ok([_shape(request, identifier) for identifier, script in OPEN.items() if script == name])


async def open_tail(request: Request, api: Api) -> Response:
    """POST …/scripts/{script}/tails."""
    identifier = secrets.token_hex(16)
    OPEN[identifier] = api.workers.script(request.path_params["script"]).name
    return ok(_shape(request, identifier))


async def close_tail(request: Request, _: Api) -> Response:
    """DELETE …/scripts/{script}/tails/{tail}."""
    if OPEN.pop(request.path_params["tail"], None) is None:
        raise ApiError(404, 10057, "This tail does not exist.")
    return ok(None)


def _shape(request: Request, identifier: str) -> Json:
    ends = datetime.now(UTC) + timedelta(hours=HOURS)
    url = f"ws://{request.url.netloc}{request.scope['root_path']}/tails/{identifier}"
    return {"id": identifier, "url": url, "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}


async def follow(websocket: WebSocket, api: Api) -> None:
    """The websocket /tails/{tail}: what is written from now on, until the client leaves."""
    name = OPEN.get(websocket.path_params["tail"])
    if name is None:
        await websocket.close(4404)
        return
    # Before the client is told: "from now on" must not begin after its next request.
    growth = Growth(api.workers.blobs.logs / f"{name}.jsonl")
    offered = websocket.scope.get("subprotocols", [])
    await websocket.accept(PROTOCOL if PROTOCOL in offered else None)
    sending = asyncio.create_task(_send(websocket, name, growth))
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await websocket.receive()
            if websocket.client_state.name == "DISCONNECTED":
                break
    sending.cancel()
    with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
        await sending


async def _send(websocket: WebSocket, name: str, growth: Growth) -> None:
    async for line in _lines(growth):
        moment = int(datetime.fromisoformat(line["time"]).timestamp() * 1000)
        await websocket.send_json(
            {
                "scriptName": name,
                "scriptVersion": {"id": line["version"]},
                "outcome": "exception" if line["level"] == "error" else "ok",
                "eventTimestamp": moment,
                "event": None,
                "exceptions": [],
                "logs": [{"message": [line["message"]], "level": line["level"], "timestamp": moment}],
            }
        )


async def _lines(growth: Growth) -> AsyncIterator[Json]:
    while True:
        for line in growth.lines():
            yield json.loads(line)
        await asyncio.sleep(PAUSE)


class Growth:
    """A file's lines from now on, or from so many bytes before its end; a file that got shorter was begun anew."""

    def __init__(self, file: Path, behind: int = 0) -> None:
        self._file = file
        self._at = max(self._size() - behind, 0)
        self._rest = b""

    def lines(self) -> list[bytes]:
        """Those that were completed since the last call."""
        size = self._size()
        if size < self._at:
            self._at, self._rest = 0, b""
        if size == self._at:
            return []
        with self._file.open("rb") as stream:
            stream.seek(self._at)
            *whole, self._rest = (self._rest + stream.read(size - self._at)).split(b"\n")
        self._at = size
        return whole

    def _size(self) -> int:
        return self._file.stat().st_size if self._file.exists() else 0
