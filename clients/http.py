"""The HTTP client of the whole project.

- Proxies are those of the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, except for hosts in NO_PROXY). Requests to
  loopback, including names under `.localhost`, are always direct and never leave the machine.
- Certificates are checked against the system's authorities, or against those in SSL_CERT_FILE and SSL_CERT_DIR.
- Redirects are not followed, so that credentials are sent only to the host that they are meant for.
- Every failure is an `httpx.HTTPError`. Its text contains no header and no proxy password.

Modules import `httpx` from here, so that it is loaded late and without its command line. Names under `.localhost` are
resolved here: resolvers should return loopback addresses for them (RFC 6761, section 6.3), but not all do.
"""

from __future__ import annotations

import importlib
import ipaddress
import os
import re
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

# Without this, httpx imports its command line (click, rich) if they are installed: three quarters of its import time.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

if TYPE_CHECKING:
    import httpx
else:

    class _LazyModule(ModuleType):
        """httpx, imported at its first use: programs that send no request do not load it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module(self.__name__), name)

    httpx = _LazyModule("httpx")

__all__ = ["USER_AGENT", "Proxy", "certificate_file", "client", "httpx", "is_loopback", "proxy_for", "tls_context"]

# Files with a system's certificate authorities, as in Go's crypto/x509 (root_linux.go, root_bsd.go).
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
USER_AGENT = "oracle-net"
"""The user agent of this program, by which its requests can be recognized in a backend's log."""


@dataclass(frozen=True)
class Proxy:
    """A proxy, and the environment variable that names it. `address` may contain a password."""

    variable: str
    address: str

    @property
    def usable(self) -> bool:
        """True for an HTTP proxy. A SOCKS proxy needs a library that is not installed."""
        try:
            return urlsplit(self.address).scheme.lower() in ("http", "https") and bool(urlsplit(self.address).hostname)
        except ValueError:
            return False


def client(timeout: float = 10.0, headers: dict[str, str] | None = None) -> httpx.Client:
    """Return a client. `timeout` limits each step of a request in seconds; `headers` are sent with every request."""
    from clients.http_routes import Client, Routes

    headers = {"user-agent": USER_AGENT, **(headers or {})}
    return Client(transport=Routes(), timeout=timeout, headers=headers, follow_redirects=False, trust_env=False)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is loopback."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def proxy_for(url: str) -> Proxy | None:
    """Return the environment's proxy for a URL; None for loopback and for hosts in NO_PROXY."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme in ("https", "wss")
    if is_loopback(host) or _is_excepted(host, parts.port or (443 if secure else 80)):
        return None
    for name in ("https_proxy" if secure else "http_proxy", "all_proxy"):
        variable, value = _variable(name)
        if value:
            return Proxy(variable, value if "://" in value else f"http://{value}")
    return None


def certificate_file() -> str | None:
    """Return the file with the trusted certificate authorities; None if the system has no such file.

    Raises OSError when SSL_CERT_FILE cannot be used.
    """
    if named := os.environ.get("SSL_CERT_FILE"):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(named)
        except OSError as error:
            why = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise OSError(f"SSL_CERT_FILE names {named}, which cannot be used ({why})") from None
        return named
    return next((path for path in BUNDLES if Path(path).is_file()), None)


def tls_context() -> ssl.SSLContext:
    """Return the context that checks servers' certificates. Raises OSError when SSL_CERT_FILE cannot be used."""
    return _context(certificate_file(), os.environ.get("SSL_CERT_DIR"))


@lru_cache
def _context(file: str | None, folder: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()  # OpenSSL itself reads SSL_CERT_FILE and SSL_CERT_DIR
    if not folder and not context.cert_store_stats()["x509_ca"]:
        if file is None:
            import certifi

            file = certifi.where()
        context.load_verify_locations(file)
    return context


def _variable(name: str) -> tuple[str, str]:
    """Return a variable's name and value. The lower-case name comes first, as in most programs."""
    variable = name if name in os.environ else name.upper()
    return variable, os.environ.get(variable, "").strip()


def _is_excepted(host: str, port: int) -> bool:
    """Return whether NO_PROXY lists a host: by name or parent domain, by address or network, with or without a port."""
    name = host.rstrip(".").lower()
    return any(
        entry == "*" or (only in (None, port) and _matches(entry, name)) for entry, only in _exceptions() if entry
    )


def _exceptions() -> Iterator[tuple[str, int | None]]:
    for entry in re.split(r"[\s,]+", _variable("no_proxy")[1].lower()):
        with_port = re.fullmatch(r"(\[.+\]|[^:]+):(\d+)", entry)
        yield (with_port[1], int(with_port[2])) if with_port else (entry, None)


def _matches(entry: str, name: str) -> bool:
    try:
        return ipaddress.ip_address(name) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        domain = entry.removeprefix("*").lstrip(".")
        return name == domain or name.endswith(f".{domain}")
