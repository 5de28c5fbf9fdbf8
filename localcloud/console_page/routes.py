"""The console page's endpoints: the page at /, its data below /_cloud/page."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from localcloud import VERSION
from localcloud.cloud import Cloud
from localcloud.cloudflare.startup import api_of
from localcloud.console_page import views
from localcloud.console_page.entrance import Entrance
from localcloud.console_page.worker_log import follow
from localcloud.digitalocean.platform import Platform
from localcloud.edge_faults import EdgeFaults
from localcloud.edge_process import EdgeError

FOLDER = Path(__file__).parent
TAIL = 400
LONGEST_CODE = 200
Handler = Callable[[Request], Awaitable[Response]]
HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def routes(cloud: Cloud, platform: Platform) -> list[BaseRoute]:
    """Return the routes. The page holds no data, so every request with our Host gets it; its data needs a session."""
    page = ConsolePage(cloud, platform)
    return [
        Route("/", page.page, methods=["GET"]),
        Route("/_cloud/page/codes", page.codes, methods=["POST"]),
        Route("/_cloud/page/sessions", page.sessions, methods=["POST"]),
        Route("/_cloud/page/state", page.inside(page.state), methods=["GET"]),
        Route("/_cloud/page/logs/apps/{app}/{deployment}/{kind}", page.inside(page.app_log), methods=["GET"]),
        Route("/_cloud/page/logs/workers/{worker}", page.inside(page.worker_log), methods=["GET"]),
    ]


class ConsolePage:
    """The handlers."""

    def __init__(self, cloud: Cloud, platform: Platform) -> None:
        self._cloud = cloud
        self._platform = platform
        self._entrance = Entrance(cloud.vault, cloud.port)
        self._edge = EdgeFaults(cloud.edge)

    def inside(self, handler: Handler) -> Handler:
        """Require a session and our own page for a handler."""

        async def checked(request: Request) -> Response:
            if not self._entrance.own(request):
                return _refused(403, "this address is for the console page of the local cloud only")
            if not self._entrance.admits(request):
                return _refused(401, "this session has ended; open another: oracle cloud console")
            return await handler(request)

        return checked

    async def page(self, request: Request) -> Response:
        """Serve the page, which holds no data."""
        if not self._entrance.named(request):
            return _refused(403, f"ask for it by its own address: {self._cloud.api}/")
        return HTMLResponse(_document(), headers={**HEADERS, "content-security-policy": _policy()})

    async def codes(self, request: Request) -> Response:
        """POST by a holder of the API's token: return the address that opens the page once. Refuses browsers."""
        expected = f"Bearer {self._cloud.tokens.digitalocean}".encode()
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected):
            return _refused(401, "wrong or missing token: send the digitalocean token of tokens.json as bearer")
        # A URL fragment is sent to no server and appears in no log.
        return JSONResponse({"address": f"{self._cloud.api}/#{self._entrance.code()}"}, 201, HEADERS)

    async def sessions(self, request: Request) -> Response:
        """POST {"code"} by the page: return a session's token."""
        if not self._entrance.own(request):
            return _refused(403, "this address is for the console page of the local cloud only")
        code = (await request.body())[: LONGEST_CODE + 1].decode("utf-8", "replace")
        session = self._entrance.session(code) if len(code) <= LONGEST_CODE else None
        if session is None:
            return _refused(401, "this code was used or is too old; get another: oracle cloud console")
        return JSONResponse({"session": session}, 201, HEADERS)

    async def state(self, request: Request) -> Response:
        """Return everything that runs, and the requests since ?requests= and ?edge= (numbers of the last response)."""
        last, entries = self._cloud.requests.since(_number(request, "requests"))
        try:
            passed = await self._edge.passed(_number(request, "edge"))
        except EdgeError:
            passed = {"last": 0, "requests": []}
        body = {
            "version": VERSION,
            "apps": views.apps(self._platform),
            "workers": views.workers(api_of(self._cloud), self._cloud.edge_port),
            "requests": {"last": last, "entries": entries},
            "edge": {"last": passed["last"], "entries": passed["requests"]},
        }
        return JSONResponse(body, headers=HEADERS)

    async def app_log(self, request: Request) -> Response:
        """Stream a deployment's log: its last lines, then new ones."""
        deployment = self._platform.shelf.deployment(request.path_params["app"], request.path_params["deployment"])
        if deployment is None or request.path_params["kind"] not in views.LOG_KINDS:
            return _refused(404, "there is no such log")
        name = self._platform.runtime.log_name(deployment, request.path_params["kind"])
        return _text(self._platform.runtime.book.read(name, follow=True, tail=TAIL))

    async def worker_log(self, request: Request) -> Response:
        """Stream a Worker's console output in the same way; its secrets are masked."""
        api, name = api_of(self._cloud), request.path_params["worker"]
        if api.records.script(name) is None:
            return _refused(404, "there is no such Worker")
        return _text(follow(api, name))


def _refused(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status, HEADERS)


def _text(pieces: AsyncIterator[str]) -> Response:
    return StreamingResponse(pieces, media_type="text/plain; charset=utf-8", headers=HEADERS)


def _number(request: Request, name: str) -> int:
    given = request.query_params.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else 0


@cache
def _document() -> str:
    page = (FOLDER / "page.html").read_text(encoding="utf-8")
    return page.replace("/* page.css */", _asset("page.css")).replace("/* page.js */", _asset("page.js"))


@cache
def _policy() -> str:
    """Return the Content-Security-Policy: our style and script by their digests, data from here, nothing else."""
    rules = (
        "default-src 'none'",
        f"style-src {_digest(_asset('page.css'))}",
        f"script-src {_digest(_asset('page.js'))}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return "; ".join(rules)


@cache
def _asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
