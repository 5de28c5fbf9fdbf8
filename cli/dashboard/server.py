"""Serve the page on loopback, at an address that only its user gets."""

from __future__ import annotations

import errno
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import advice
from cli.dashboard.document import policy
from errors import STACK, Fix, UserError

FRESH_SECONDS = 5.0
OPEN = Fix(first=f"open the address that `oracle page --stack {STACK}` printed")
FOREIGN_HOST = UserError("This page is served for requests to 127.0.0.1 and localhost only.", OPEN)
NOT_FOUND = UserError("There is no page at this address.", OPEN)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"{policy(live=True)}; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Pages:
    """A cache of the page. `make` renders it again on a request after `fresh` seconds."""

    def __init__(self, make: Callable[[], str], fresh: float = FRESH_SECONDS) -> None:
        self._make, self._fresh = make, fresh
        self._lock = threading.Lock()
        self._page, self._made = b"", 0.0

    def page(self) -> bytes:
        """Return the page. Concurrent requests get the same one. Raises UserError."""
        with self._lock:
            if not self._page or time.monotonic() - self._made > self._fresh:
                self._page, self._made = self._make().encode(), time.monotonic()
            return self._page


class Server(ThreadingHTTPServer):
    """Serve one page at an address that cannot be guessed, because other users of this machine reach loopback too.

    Port 0 takes any free port. Raises UserError if the port cannot be used.
    """

    daemon_threads = True

    def __init__(self, pages: Pages, stack: str, port: int) -> None:
        self.pages, self.stack = pages, stack
        self.path = f"/{secrets.token_urlsafe(24)}/"
        try:
            super().__init__(("127.0.0.1", port), Handler)
        except OSError as error:
            help = Fix(f"oracle page --stack {stack} --port 0", "to use any free port")
            if error.errno == errno.EADDRINUSE:
                raise UserError(f"Port {port} is in use.", help) from None
            raise UserError(f"Port {port} cannot be used.", help, cause=error.strerror or "") from None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{self.path}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The valid Host headers. Any other one is a DNS rebinding attack."""
        return f"127.0.0.1:{self.server_port}", f"localhost:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answer GET for the one address, and refuse everything else."""

    server: Server
    server_version, sys_version = "oracle", ""
    timeout = 30

    def do_GET(self) -> None:
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            self._refuse(403, FOREIGN_HOST)
        elif not hmac.compare_digest(self.path.encode("utf-8", "replace"), self.server.path.encode()):
            self._refuse(404, NOT_FOUND)
        else:
            try:
                self._answer(200, self.server.pages.page(), "text/html")
            except UserError as error:
                self._refuse(503, error)

    def log_message(self, *_: object) -> None:
        """Write no access log, because it would contain the address."""

    def _refuse(self, status: int, error: UserError) -> None:
        stack = self.server.stack
        self._answer(status, f"{advice.text(error, stack, f'oracle page --stack {stack}')}\n".encode())

    def _answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": f"{kind}; charset=utf-8"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
