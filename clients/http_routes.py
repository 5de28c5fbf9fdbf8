"""The route of each request of clients/http.py: directly or through a proxy, with or without TLS.

This is a module of its own because it imports httpx, which clients/http.py must not do before the first request.
"""

from __future__ import annotations

import ssl
import threading
from typing import Any

from clients.http import Proxy, httpx, proxy_for, tls_context

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The context for connections without TLS: loading the authorities would take longer than a local answer."""


class Client(httpx.Client):
    """An httpx client that raises httpx.HTTPError for an invalid address too."""

    def build_request(self, *arguments: Any, **options: Any) -> httpx.Request:
        try:
            return super().build_request(*arguments, **options)
        except httpx.InvalidURL as error:
            raise httpx.UnsupportedProtocol(f"not an address: {error}") from None


class Routes(httpx.BaseTransport):
    """Sends each request directly or through a proxy. For a name under `.localhost` the Host header is unchanged."""

    def __init__(self) -> None:
        self._transports: dict[tuple[bool, Proxy | None], httpx.HTTPTransport] = {}
        self._lock = threading.Lock()  # threads share a client; `close` must know every transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxy = proxy_for(str(request.url))
        if request.url.host.rstrip(".").endswith(".localhost"):
            request.url = request.url.copy_with(host="127.0.0.1")
        try:
            return self._transport_for(request.url.scheme == "https", proxy).handle_request(request)
        except httpx.LocalProtocolError:  # its text would contain the header with its credentials
            raise httpx.LocalProtocolError("a header holds a character that HTTP does not allow") from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            if proxy is None:
                raise
            reason = str(error) or type(error).__name__
            raise type(error)(f"{reason}, by way of the proxy in {proxy.variable}") from None
        except UnicodeError:
            raise httpx.ConnectError("its host is not a name") from None

    def close(self) -> None:
        for transport in self._transports.values():
            transport.close()

    def _transport_for(self, secure: bool, proxy: Proxy | None) -> httpx.HTTPTransport:
        with self._lock:
            if (secure, proxy) not in self._transports:
                try:
                    self._transports[secure, proxy] = _transport(secure, proxy)
                except OSError as error:
                    raise httpx.ConnectError(str(error)) from None
            return self._transports[secure, proxy]


def _transport(secure: bool, proxy: Proxy | None) -> httpx.HTTPTransport:
    """Create a transport. Raises httpx.ProxyError for an unusable proxy, OSError for unusable certificates."""
    if proxy is None:
        return httpx.HTTPTransport(verify=tls_context() if secure else NO_TLS, trust_env=False)
    if not proxy.usable:
        raise httpx.ProxyError("not the address of an HTTP proxy")
    encrypted = proxy.address.lower().startswith("https://")
    context = tls_context() if secure or encrypted else NO_TLS
    try:
        http_proxy = httpx.Proxy(proxy.address, ssl_context=context if encrypted else None)
        return httpx.HTTPTransport(verify=context, proxy=http_proxy, trust_env=False)
    except (httpx.InvalidURL, ValueError):
        raise httpx.ProxyError("not the address of an HTTP proxy") from None
