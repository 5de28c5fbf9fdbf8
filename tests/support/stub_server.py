"""An HTTP server on a free loopback port whose answers a test decides."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs

HTML = "<!doctype html><title>Please log in</title>"


@dataclass(frozen=True)
class Request:
    """A request with its body; `target` has the query, `headers` have names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    connection: socket = field(repr=False)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query as it was sent, without the question mark."""
        return self.target.partition("?")[2]

    @property
    def parameters(self) -> dict[str, str]:
        """The query's parameters; of several of one name, the first."""
        return {name: values[0] for name, values in parse_qs(self.query).items()}

    @property
    def json(self) -> Any:
        """The decoded body; None without one."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Reply:
    """A reply. `body` is bytes, a text, or anything else as JSON; `kind` is its content type.

    `cut`: only so many bytes of the body are sent. `breaks`: the connection closes without a reply. `hangs`: it stays
    open without a reply until the server's `released` is set.
    """

    body: Any = ""
    status: int = 200
    kind: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    breaks: bool = False
    hangs: bool = False

    @property
    def content(self) -> tuple[str, bytes]:
        """The content type and the bytes of the body."""
        if isinstance(self.body, bytes):
            return self.kind or "application/octet-stream", self.body
        if isinstance(self.body, str):
            return self.kind or "text/plain", self.body.encode()
        return self.kind or "application/json", json.dumps(self.body).encode()


BROKEN = Reply(breaks=True)
HANGING = Reply(hangs=True)
Answer = Callable[[Request], Reply]


class StubServer:
    """Serves while its `with` lasts, and records the requests.

    `answer` is a function, or a table of replies by path; other paths are answered 404. A ConnectionError in the
    function closes the connection; another error also does, and is raised again at the end of the `with`.
    """

    def __init__(
        self, answer: Answer | Mapping[str, Reply], *, keep_alive: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        """`keep_alive` speaks HTTP/1.1, which keeps connections open for further requests."""
        self.requests: list[Request] = []
        self.released = threading.Event()
        self._answer = answer if callable(answer) else _by_path(answer)
        self._errors: list[Exception] = []
        self._server = _Server(("127.0.0.1", 0), self._handler("HTTP/1.1" if keep_alive else "HTTP/1.0"))
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> StubServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        if self._errors and error is None:
            raise self._errors[0]

    @property
    def lines(self) -> list[str]:
        """The methods and targets of the requests, as in their first lines."""
        return [f"{request.method} {request.target}" for request in self.requests]

    @property
    def paths(self) -> list[str]:
        """The paths of the requests, without queries."""
        return [request.path for request in self.requests]

    def reply(self, request: Request) -> Reply:
        """Record a request and return its reply."""
        self.requests.append(request)
        try:
            reply = self._answer(request)
        except ConnectionError:
            return BROKEN
        except Exception as error:
            self._errors.append(error)
            return BROKEN
        if reply.hangs:
            self.released.wait(30)
            return BROKEN
        return reply

    def _handler(self, version: str) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = version
            disable_nagle_algorithm = True  # else a body waits 40 ms for the acknowledgement of its headers

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = stub.reply(Request(self.command, self.path, headers, body, self.connection))
                if reply.breaks:
                    self.close_connection = True
                else:
                    self.send(reply)

            def send(self, reply: Reply) -> None:
                kind, content = reply.content
                self.send_response_only(reply.status)
                own = {"date": self.date_time_string(), "content-type": kind, "content-length": str(len(content))}
                if reply.status == 204:
                    own = {"date": own["date"]}
                for name, value in {**own, **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content[: reply.cut])
                self.close_connection = self.close_connection or reply.cut is not None

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_CONNECT = handle_any

            def log_message(self, format: str, *arguments: object) -> None:
                """Print nothing."""

        return Handler


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error."""


def _by_path(table: Mapping[str, Reply]) -> Answer:
    return lambda request: table.get(request.path, Reply({"id": "not_found", "message": "not found"}, 404))
