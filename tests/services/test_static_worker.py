"""The Worker of a static site, on real workerd with real assets and a fake API."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from tests.support import workers
from tests.support.http import ask
from tests.support.waiting import free_port, until
from tests.support.workers import PROJECT, Worker
from toolchain.tools import Tools

INDEX = "<!doctype html><title>site</title>"


class Api:
    """An API that tells what reached it, and can stream, redirect, compress and echo."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.app = Starlette(
            routes=[
                Route("/stream", self.stream),
                Route("/moved", lambda request: RedirectResponse("https://elsewhere.test/", 302)),
                Route("/packed", self.packed),
                WebSocketRoute("/echo", self.echo),
                Route("/{path:path}", self.tell, methods=["GET", "POST", "PUT", "DELETE"]),
            ]
        )

    async def tell(self, request: Request) -> Response:
        seen = {
            "method": request.method,
            "path": request.url.path,
            "query": request.url.query,
            "authorization": request.headers.get("authorization"),
            "body": (await request.body()).decode(),
        }
        return JSONResponse(seen, 418, {"x-from": "api"})

    async def stream(self, request: Request) -> Response:
        async def chunks() -> AsyncIterator[str]:
            yield "first\n"
            await asyncio.to_thread(self.release.wait, 20)
            yield "second\n"

        return StreamingResponse(chunks(), media_type="text/event-stream")

    async def packed(self, request: Request) -> Response:
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response("plain")
        return Response(gzip.compress(b"plain"), headers={"content-encoding": "gzip"})

    async def echo(self, socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(f"you said {await socket.receive_text()}")
        await socket.close()


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """The address of the app while it is served from a thread."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="error", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started, "the API's start")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def api() -> Api:
    return Api()


@pytest.fixture(scope="module")
def urls(tools: Tools, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    site = tmp_path_factory.mktemp("site")
    (site / "index.html").write_text(INDEX)
    (site / "app.js").write_text("export {};")

    def static(name: str, **bindings: str) -> Worker:
        return workers.static(name, site, **bindings)

    with serving(api.app) as address:
        wanted = [
            static("site", API_URL=f"{address}/", RELEASE="s1"),
            static("untold"),
            static("away", API_URL=f"http://127.0.0.1:{free_port()}"),
        ]
        with workers.running(tools, wanted) as running:
            yield {"api": address, **running}


class TestConfig:
    def test_config_json_has_the_address_of_the_api(self, urls: dict[str, str]) -> None:
        answer = ask("GET", urls["site"] + "/config.json")
        assert answer.json() == {"apiUrl": urls["api"], "release": "s1"}
        assert answer.headers["cache-control"] == "no-store"

    def test_config_json_has_empty_values_without_bindings(self, urls: dict[str, str]) -> None:
        assert ask("GET", urls["untold"] + "/config.json").json() == {"apiUrl": "", "release": ""}


class TestFiles:
    def test_files_are_served_from_the_assets(self, urls: dict[str, str]) -> None:
        answer = ask("GET", urls["site"] + "/app.js")
        assert (answer.status_code, answer.text) == (200, "export {};")
        assert "javascript" in answer.headers["content-type"]

    @pytest.mark.parametrize("path", ["/", "/posts/abc", "/about", "/_api", "/_apix/"])
    def test_any_other_path_serves_the_page(self, urls: dict[str, str], path: str) -> None:
        answer = ask("GET", urls["site"] + path)
        assert (answer.status_code, answer.text) == (200, INDEX)

    @pytest.mark.parametrize("site", ["web", "universe"])
    def test_the_reference_sites_have_pages_redirects_and_security_headers(self, tools: Tools, site: str) -> None:
        folder = PROJECT / "services" / site / "public"
        with workers.running(tools, [workers.static(site, folder)]) as running:
            page = ask("GET", running[site] + "/posts/some")
            for path in [path for path in folder.iterdir() if not path.name.startswith("_")]:
                answer = ask("GET", f"{running[site]}/{path.name}", follow_redirects=True)
                assert answer.content == path.read_bytes()
            assert ask("GET", running[site] + "/_headers").text == page.text  # read, not served
            moved = ask("GET", running[site] + {"web": "/p/abc", "universe": "/o/abc"}[site])
        assert (moved.status_code, moved.headers["location"]) in [(301, "/posts/abc"), (301, "/oracles/abc")]
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


class TestForwarding:
    def test_a_request_is_forwarded_without_the_prefix(self, urls: dict[str, str]) -> None:
        path = "/_api/api/posts%2Fx?page=2&q=a%20b"
        answer = ask("POST", urls["site"] + path, token="T", content=b"hello")
        assert (answer.status_code, answer.headers["x-from"]) == (418, "api")
        seen = answer.json()
        assert (seen["method"], seen["query"], seen["body"]) == ("POST", "page=2&q=a%20b", "hello")
        assert seen["authorization"] == "Bearer T"
        assert seen["path"].startswith("/api/posts")

    @pytest.mark.parametrize(
        "path", ["///elsewhere.test/", "/http://elsewhere.test/", "/@elsewhere.test/", "/.elsewhere.test"]
    )
    def test_no_path_leads_to_another_host_than_the_api(self, urls: dict[str, str], path: str) -> None:
        assert ask("GET", f"{urls['site']}/_api{path}").headers["x-from"] == "api"

    def test_a_redirect_of_the_api_is_passed_on(self, urls: dict[str, str]) -> None:
        answer = ask("GET", urls["site"] + "/_api/moved")
        assert (answer.status_code, answer.headers["location"]) == (302, "https://elsewhere.test/")

    def test_answers_are_streamed(self, urls: dict[str, str], api: Api) -> None:
        with httpx.stream("GET", urls["site"] + "/_api/stream", timeout=15) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "first"  # arrives while the API still holds the rest back
            api.release.set()
            assert next(lines) == "second"

    def test_an_answer_is_decompressed_for_a_client_without_compression(self, urls: dict[str, str]) -> None:
        with closing(HTTPConnection(urls["site"].removeprefix("http://"), timeout=15)) as plain:
            plain.putrequest("GET", "/_api/packed", skip_accept_encoding=True)
            plain.endheaders()
            answer = plain.getresponse()
            assert (answer.read(), answer.getheader("content-encoding")) == (b"plain", None)

    def test_websockets_are_forwarded(self, urls: dict[str, str]) -> None:
        address = urls["site"].replace("http://", "ws://")
        with connect(f"{address}/_api/echo", proxy=None) as socket:
            socket.send("hello")
            assert socket.recv() == "you said hello"

    def test_an_unreachable_api_is_502(self, urls: dict[str, str]) -> None:
        answer = ask("GET", urls["away"] + "/_api/api/health")
        assert (answer.status_code, answer.json()["error"]) == (502, "api_unavailable")
        assert answer.headers["retry-after"] == "5"

    def test_a_site_without_an_api_address_is_503(self, urls: dict[str, str]) -> None:
        answer = ask("GET", urls["untold"] + "/_api/api/health")
        assert (answer.status_code, answer.json()["error"]) == (503, "not_configured")
