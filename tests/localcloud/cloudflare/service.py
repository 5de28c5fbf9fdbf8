"""The Cloudflare half of the local cloud on a free port, and small helpers that speak to it over raw HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from localcloud.cloud import Cloud, ToolPaths, open_cloud
from localcloud.cloudflare import routes, startup
from localcloud.tolerance import TolerantProtocol
from tests.localcloud.cloudflare.loop import Loop
from tests.support.http import NO_TLS

Json = Any
ESM = "application/javascript+module"


class Running:
    """Starts on `root`, where it finds what an earlier one left; `stop` ends it."""

    def __init__(self, root: Path, programs: Any, edge_port: int = 0) -> None:
        self.tools = ToolPaths(programs.node, programs.node_modules, programs.pocketbase)
        self.cloud: Cloud = open_cloud(root, 0, edge_port, self.tools)

    async def start(self) -> None:
        await self.cloud.edge.start()
        await startup.start(self.cloud)
        app = Starlette(routes=[Mount("/client/v4", routes=routes.routes(self.cloud))])
        listener = socket.create_server(("127.0.0.1", 0))  # connections wait in its queue until it is served
        self.port = int(listener.getsockname()[1])
        self._server = uvicorn.Server(uvicorn.Config(app, ws=TolerantProtocol, log_level="error", lifespan="off"))
        self._task = asyncio.create_task(self._server.serve([listener]))

    async def stop(self) -> None:
        self._server.should_exit = True
        await self._task
        await startup.stop(self.cloud)
        await self.cloud.edge.stop()
        self.cloud.store.close()


@dataclass
class Client:
    """Asks as a client with the right token would. `account` is the account's path."""

    running: Running
    loop: Loop
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=60, verify=NO_TLS))

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.running.port}/client/v4"

    @property
    def token(self) -> str:
        return self.running.cloud.tokens.cloudflare

    @property
    def account(self) -> str:
        return f"/accounts/{self.running.cloud.tokens.account_id}"

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        return self.http.request(method, self.base + path.replace("~", self.account), headers=headers, **more)

    def result(self, method: str, path: str, **more: Any) -> Json:
        """The result of an answer that must be a success."""
        answer = self(method, path, **more)
        assert answer.is_success, answer.text
        body = answer.json()
        assert (body["success"], body["errors"], body["messages"]) == (True, [], [])
        return body["result"]

    def refusal(self, method: str, path: str, **more: Any) -> tuple[int, int, str]:
        """(status, code, message) of an answer that must be an error no client tries again."""
        answer = self(method, path, **more)
        body = answer.json()
        assert (body["success"], body["result"], answer.headers["x-should-retry"]) == (False, None, "false")
        assert len(body["errors"]) == 1
        return answer.status_code, body["errors"][0]["code"], body["errors"][0]["message"]

    def put(self, name: str, code: str, refused: bool = False, **metadata: Json) -> Any:
        """Uploads a one-module Worker; its result, or the refusal."""
        files = {"worker.js": ("worker.js", code, ESM)}
        known = {"main_module": "worker.js", "compatibility_date": "2025-06-01"} | metadata
        form = [("metadata", (None, json.dumps(known), "application/json")), *files.items()]
        ask = self.refusal if refused else self.result
        return ask("PUT", f"~/workers/scripts/{name}", files=form)

    def enable(self, name: str) -> str:
        """Turns the Worker's own address on; the host."""
        self.result("POST", f"~/workers/scripts/{name}/subdomain", json={"enabled": True})
        return f"{name}.oracle.workers.localhost"

    def get(self, host: str, path: str = "/", method: str = "GET", **more: Any) -> httpx.Response:
        """What the edge answers for a host."""
        port = self.running.cloud.edge.port
        headers = {"host": f"{host}:{port}"} | more.pop("headers", {})
        return self.http.request(method, f"http://127.0.0.1:{port}{path}", headers=headers, **more)

    def upload_assets(self, name: str, files: dict[str, bytes]) -> str:
        """A whole upload session; the completion token."""
        manifest = {path: {"hash": asset_hash(content), "size": len(content)} for path, content in files.items()}
        contents = {asset_hash(content): content for content in files.values()}
        session = self.result("POST", f"~/workers/scripts/{name}/assets-upload-session", json={"manifest": manifest})
        token: str = session["jwt"]
        for bucket in session["buckets"]:
            parts = [(h, (h, base64.b64encode(contents[h]), "text/html")) for h in bucket]
            answer = self.result("POST", "~/workers/assets/upload?base64=true", files=parts, headers=bearer(token))
            session = answer or session
        return str(session["jwt"])

    def put_site(self, name: str, files: dict[str, bytes], **config: Json) -> Json:
        """Uploads an assets-only Worker."""
        assets = {"jwt": self.upload_assets(name, files), "config": config}
        form = [("metadata", (None, json.dumps({"assets": assets, "compatibility_date": "2025-06-01"}), None))]
        return self.result("PUT", f"~/workers/scripts/{name}", files=form)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def asset_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
