"""An HTTP server that answers what was recorded, in the recorded order, and keeps the requests it got."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request as it came in; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """The body as the recordings have it: decoded JSON, `{"$multipart": parts}`, text, or None without a body."""
        if not self.body:
            return None
        kind = self.headers.get("content-type", "")
        if kind.startswith("multipart/"):
            return {"$multipart": _parts(self.body, kind)}
        try:
            return json.loads(self.body)
        except ValueError:
            return self.body.decode()


def _parts(body: bytes, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    for part in message.get_payload():
        assert not isinstance(part, str)
        headers = {name.lower(): value for name, value in part.items()}
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        text = payload.decode()
        found.append({"headers": headers} | _content(text, headers.get("content-type", "")))
    return found


def _content(text: str, kind: str) -> dict[str, Any]:
    if kind != "application/json":
        return {"text": text}
    try:
        return {"json": json.loads(text)}
    except ValueError as error:
        return {"text": text, "notJson": str(error)}


Answer = Mapping[str, Any]  # status, responseHeaders?, responseBody?


class Stub:
    """Serves on a loopback port until its `with` ends. A request that nothing is left for is answered 599, once."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._answers: list[Answer] = []
        self._answer: Callable[[Request], Answer] | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = str(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Stub:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def expect(self, exchanges: Sequence[Answer]) -> None:
        """Forgets the requests so far; the next ones are answered with these, in order."""
        self.requests, self._answers, self._answer = [], list(exchanges), None

    def answer_by(self, answer: Callable[[Request], Answer]) -> None:
        """Forgets the requests so far; the next ones are answered by a function."""
        self.requests, self._answers, self._answer = [], [], answer

    def _next(self, request: Request) -> Answer:
        self.requests.append(request)
        if self._answer:
            return self._answer(request)
        if self._answers:
            return self._answers.pop(0)
        return {"status": 599, "responseHeaders": {"x-should-retry": "false"}, "responseBody": "nothing was recorded"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *arguments: Any) -> None:
                """Quiet."""

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                path, _, query = self.path.partition("?")
                headers = {name.lower(): value for name, value in self.headers.items()}
                self._send(stub._next(Request(self.command, path, query, headers, body)))

            def _send(self, answer: Answer) -> None:
                content = answer.get("responseBody")
                text = content if isinstance(content, str) else json.dumps(content)
                body = b"" if answer["status"] == 204 or "responseBody" not in answer else text.encode()
                self.send_response(answer["status"])
                for name, value in (answer.get("responseHeaders") or {}).items():
                    self.send_header(name, value)
                if answer["status"] != 204:
                    self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = _any

        return Handler
