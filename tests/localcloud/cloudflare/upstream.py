"""A small threaded HTTP server that stands behind the edge as an app: it echoes, streams and upgrades."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CLOSE = 8
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Handler(BaseHTTPRequestHandler):
    """GET / echoes as JSON; /slow waits for `release`; /events streams two parts; an upgrade echoes bytes."""

    protocol_version = "HTTP/1.1"
    server: App

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        if self.headers.get("upgrade", "").lower() == "websocket":
            self._upgrade()
        elif self.path == "/events":
            self._stream()
        else:
            if self.path == "/slow":
                self.server.release.wait(20)
            self._echo()

    do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_GET

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("content-length", "0")))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def _echo(self) -> None:
        body = self._body()
        answer = {
            "app": self.server.name,
            "method": self.command,
            "path": self.path,
            "bytes": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "headers": dict(self.headers.items()),
        }
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("set-cookie", "a=1")
        self.send_header("set-cookie", "b=2")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for part in (b"data: one\n\n", b"data: two\n\n"):
            self.server.release.wait(20)
            self.server.release.clear()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _upgrade(self) -> None:
        key = self.headers["sec-websocket-key"]
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        self.send_response_only(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.send_header("sec-websocket-accept", accept)
        self.end_headers()
        self.wfile.flush()
        while data := self.connection.recv(65536):
            self.connection.sendall(unmasked(data))
            if data[0] & 0x0F == CLOSE:
                break
        self.close_connection = True


def unmasked(frame: bytes) -> bytes:
    """One short masked WebSocket frame turned into an unmasked one with the same payload."""
    size = frame[1] & 0x7F
    mask, payload = frame[2:6], frame[6 : 6 + size]
    return bytes([frame[0], size]) + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


class App(ThreadingHTTPServer):
    """Listens on a free loopback port until `stop`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, name: str, port: int = 0) -> None:
        self.name = name
        self.seen: list[str] = []
        self.release = threading.Event()
        super().__init__(("127.0.0.1", port), Handler)
        self.address = ("127.0.0.1", int(self.server_address[1]))
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
