"""An HTTP client that resolves names under `.localhost` to loopback, as browsers do and Python's resolver often does
not.

Modules that need `httpx` take it from here, so that it is imported without its command line. RFC 6761, section 6.3:
name resolution libraries should return loopback addresses for such names.
"""

from __future__ import annotations

import sys

# httpx imports its command line (click, rich) where these are installed: three quarters of its import time, never used.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import httpx  # noqa: E402

__all__ = ["client", "httpx"]


class LocalhostNames(httpx.HTTPTransport):
    """Connects to 127.0.0.1 for a host under `.localhost`; the Host header keeps the name."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host.endswith(".localhost"):
            request.url = request.url.copy_with(host="127.0.0.1")
        return super().handle_request(request)


def client(timeout: float = 10.0, headers: dict[str, str] | None = None) -> httpx.Client:
    """A client without proxies from the environment, since loopback must stay on the machine for `.localhost` names."""
    return httpx.Client(transport=LocalhostNames(), timeout=timeout, headers=headers, follow_redirects=False)
