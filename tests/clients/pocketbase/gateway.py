"""A gateway in front of a backend that can do what gateways do: give up, cut off, lose, and drop headers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import httpx

from tests.support.http import NO_TLS


@dataclass
class Passing:
    """A request on its way, body included; `path` has the query, `headers` have names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    upstream: str

    def forward(self) -> httpx.Response:
        with httpx.Client(verify=NO_TLS, timeout=30, trust_env=False) as client:
            return client.request(self.method, self.upstream + self.path, headers=self.headers, content=self.body)


@dataclass
class Answer:
    """`cut`: only so many bytes of the body go out before the connection closes."""

    status: int
    body: bytes
    cut: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


Interfere = Callable[[Passing], Answer | None]
"""What happens to a request instead of being passed on; None: nothing."""


class Gateway:
    """Listens on loopback while the block lasts; `seen` are the requests, "METHOD /path" without queries."""

    def __init__(self, upstream: str, interfere: Interfere) -> None:
        self.seen: list[str] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # workerd uses a connection again that HTTP/1.0 closes without a word

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                kept = {name.lower(): value for name, value in self.headers.items()}
                kept = {name: value for name, value in kept.items() if name not in ("host", "connection")}
                passing = Passing(self.command, self.path, kept, body, upstream)
                gateway.seen.append(f"{self.command} {self.path.partition('?')[0]}")
                answer = interfere(passing) or passed_on(passing)
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body[: answer.cut])
                self.close_connection = self.close_connection or answer.cut is not None

            do_GET = do_POST = do_DELETE = handle_any

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Gateway:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def passed_on(passing: Passing) -> Answer:
    """The backend's own answer, or a gateway's when there is none."""
    try:
        response = passing.forward()
    except httpx.HTTPError:
        return Answer(502, b"bad gateway")
    return Answer(response.status_code, response.content)
