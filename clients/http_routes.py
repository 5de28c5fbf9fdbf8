"""Which way each request of clients/http.py takes: directly, or through a proxy; with or without TLS.

A module of its own, since it is made of httpx, and clients/http.py is imported where nobody may be asked.
"""

from __future__ import annotations

import ssl
from typing import Any

from clients.http import Proxy, httpx, proxy_for, tls_context

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For connections without TLS: reading the authorities takes longer than a local answer."""


class Client(httpx.Client):
    """Takes what is no address for a request that failed, as all else that goes wrong."""

    def build_request(self, *arguments: Any, **options: Any) -> httpx.Request:
        try:
            return super().build_request(*arguments, **options)
        except httpx.InvalidURL as error:
            raise httpx.UnsupportedProtocol(f"not an address: {error}") from None


class Routes(httpx.BaseTransport):
    """Sends each request directly or through a proxy; the Host header keeps a name under `.localhost`."""

    def __init__(self) -> None:
        self._ways: dict[tuple[bool, Proxy | None], httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxy = proxy_for(str(request.url))
        if request.url.host.rstrip(".").endswith(".localhost"):
            request.url = request.url.copy_with(host="127.0.0.1")
        try:
            return self._way(request.url.scheme == "https", proxy).handle_request(request)
        except httpx.LocalProtocolError:  # its text quotes the header, credentials and all
            raise httpx.LocalProtocolError("a header holds a character that HTTP does not allow") from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            if proxy is None:
                raise
            reason = str(error) or type(error).__name__
            raise type(error)(f"{reason}, by way of the proxy in {proxy.variable}") from None
        except UnicodeError:
            raise httpx.ConnectError("its host is not a name") from None

    def close(self) -> None:
        for way in self._ways.values():
            way.close()

    def _way(self, secure: bool, proxy: Proxy | None) -> httpx.HTTPTransport:
        if (secure, proxy) not in self._ways:
            try:
                self._ways[secure, proxy] = _transport(secure, proxy)
            except OSError as error:
                raise httpx.ConnectError(str(error)) from None
        return self._ways[secure, proxy]


def _transport(secure: bool, proxy: Proxy | None) -> httpx.HTTPTransport:
    """Raises httpx.ProxyError for a proxy that cannot be used, OSError for certificates that cannot."""
    if proxy is None:
        return httpx.HTTPTransport(verify=tls_context() if secure else NO_TLS, trust_env=False)
    if not proxy.usable:
        raise httpx.ProxyError("not the address of an HTTP proxy")
    encrypted = proxy.address.lower().startswith("https://")
    context = tls_context() if secure or encrypted else NO_TLS
    try:
        way = httpx.Proxy(proxy.address, ssl_context=context if encrypted else None)
        return httpx.HTTPTransport(verify=context, proxy=way, trust_env=False)
    except (httpx.InvalidURL, ValueError):
        raise httpx.ProxyError("not the address of an HTTP proxy") from None
