"""An HTTP server on loopback that gives scripted answers, and keeps the requests it got."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HTML = "<!doctype html><title>Please log in</title>"


@dataclass(frozen=True)
class Reply:
    """An answer: `body` as JSON, or as it is where it is a text of the type `kind`. `breaks` closes the connection."""

    body: Any = ""
    status: int = 200
    kind: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks: bool = False

    @property
    def content(self) -> tuple[str, bytes]:
        if isinstance(self.body, str):
            return self.kind or "text/plain", self.body.encode()
        return self.kind or "application/json", json.dumps(self.body).encode()


BROKEN = Reply(breaks=True)


@dataclass
class Scripted:
    """Answers by path, without the query; the last of a list is given for ever. Other paths are 404, in JSON."""

    answers: dict[str, Sequence[Reply]] = field(default_factory=dict)
    address: str = ""
    asked: list[str] = field(default_factory=list)
    """Methods and paths, as in the requests' first lines."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of the same requests, names in lower case."""

    def answer(self, path: str) -> Reply:
        wanted = self.answers.get(path.partition("?")[0])
        if wanted is None:
            return Reply({"id": "not_found", "message": "not found"}, 404)
        rest = list(wanted)
        self.answers[path.partition("?")[0]] = rest[1:] or rest
        return rest[0]


@contextmanager
def scripted(answers: Mapping[str, Sequence[Reply]] | None = None) -> Iterator[Scripted]:
    """A server for as long as the block lasts."""
    script = Scripted(dict(answers or {}))

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            self.rfile.read(length)
            script.asked.append(f"{self.command} {self.path}")
            script.headers.append({name.lower(): value for name, value in self.headers.items()})
            reply = script.answer(self.path)
            if reply.breaks:
                self.close_connection = True
                return
            kind, content = reply.content
            self.send_response_only(reply.status)
            own = {"date": self.date_time_string(), "content-type": kind, "content-length": str(len(content))}
            for name, value in {**own, **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_CONNECT = handle_any

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    script.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
