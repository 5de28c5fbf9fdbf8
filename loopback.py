"""An HTTP client that resolves names under `.localhost` to loopback, as browsers do and not every resolver does.

Modules that need `httpx` take it from here, so that it is imported without its command line. RFC 6761, section 6.3:
name resolution libraries should return loopback addresses for such names.
"""

from __future__ import annotations

import ssl
import sys

# httpx imports its command line (click, rich) where these are installed: three quarters of its import time, never used.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import httpx  # noqa: E402

__all__ = ["USER_AGENT", "client", "httpx"]

USER_AGENT = "oracle-net"
"""What this program calls itself, so that a backend's log tells its requests from everybody else's."""


class LocalhostNames(httpx.BaseTransport):
    """Connects to 127.0.0.1 for a host under `.localhost`; the Host header keeps the name.

    The certificate authorities, which take longer to read than a local answer takes, wait for the first https request.
    """

    def __init__(self) -> None:
        self._plain = httpx.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        self._secure: httpx.HTTPTransport | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host.endswith(".localhost"):
            request.url = request.url.copy_with(host="127.0.0.1")
        if request.url.scheme == "http":
            return self._plain.handle_request(request)
        self._secure = self._secure or httpx.HTTPTransport()
        return self._secure.handle_request(request)

    def close(self) -> None:
        self._plain.close()
        if self._secure is not None:
            self._secure.close()


def client(timeout: float = 10.0, headers: dict[str, str] | None = None) -> httpx.Client:
    """A client without proxies from the environment: what is on loopback must stay on the machine."""
    headers = {"user-agent": USER_AGENT, **(headers or {})}
    return httpx.Client(transport=LocalhostNames(), timeout=timeout, headers=headers, follow_redirects=False)
