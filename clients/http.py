"""The HTTP client of everything here: the one way out to the network.

- Proxies are those of the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, but for hosts in NO_PROXY). What is on
  loopback, names under `.localhost` too, is always asked directly and never leaves the machine.
- Certificates are checked against the system's authorities, or against those in SSL_CERT_FILE and SSL_CERT_DIR.
- A redirect is an answer and is not followed, so that credentials stay with the host they were meant for.
- Whatever goes wrong is an `httpx.HTTPError`, whose text holds no header and no password of a proxy.

Modules that need `httpx` take it from here, so that it is imported late and without its command line. RFC 6761, section
6.3: name resolution libraries should return loopback addresses for names under `.localhost`, and not every resolver
does.
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

# httpx imports its command line (click, rich) where these are installed: three quarters of its import time, never used.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

if TYPE_CHECKING:
    import httpx
else:

    class _Later(ModuleType):
        """httpx, imported when it is first used: a program that asks nobody goes without it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module(self.__name__), name)

    httpx = _Later("httpx")

__all__ = ["USER_AGENT", "Proxy", "certificate_file", "client", "httpx", "is_loopback", "proxy_for", "tls_context"]

# Where systems keep their authorities in one file, as Go's crypto/x509 looks for them (root_linux.go, root_bsd.go).
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
USER_AGENT = "oracle-net"
"""What this program calls itself, so that a backend's log tells its requests from everybody else's."""


@dataclass(frozen=True)
class Proxy:
    """A proxy, and the variable of the environment that names it. `address` may hold a password."""

    variable: str
    address: str

    @property
    def usable(self) -> bool:
        """Whether it speaks HTTP; a SOCKS proxy needs a library that is not here."""
        try:
            return urlsplit(self.address).scheme.lower() in ("http", "https") and bool(urlsplit(self.address).hostname)
        except ValueError:
            return False


def client(timeout: float = 10.0, headers: dict[str, str] | None = None) -> httpx.Client:
    """A client with one time limit for each step of a request; `headers` go along with every request."""
    from clients.http_routes import Client, Routes

    headers = {"user-agent": USER_AGENT, **(headers or {})}
    return Client(transport=Routes(), timeout=timeout, headers=headers, follow_redirects=False, trust_env=False)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or its address."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def proxy_for(url: str) -> Proxy | None:
    """The proxy that the environment names for an address; None for loopback and for what NO_PROXY lists."""
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
    """The file with the certificate authorities to trust; None where the system has none in one file.

    Raises OSError when SSL_CERT_FILE names one that cannot be used.
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
    """What a server's certificate is checked against. Raises OSError when SSL_CERT_FILE cannot be used."""
    return _context(certificate_file(), os.environ.get("SSL_CERT_DIR"))


@lru_cache
def _context(file: str | None, folder: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()  # OpenSSL heeds SSL_CERT_FILE and SSL_CERT_DIR itself
    if not folder and not context.cert_store_stats()["x509_ca"]:
        if file is None:
            import certifi

            file = certifi.where()
        context.load_verify_locations(file)
    return context


def _variable(name: str) -> tuple[str, str]:
    """A variable's name and value, in lower case first, as most programs look for these."""
    found = name if name in os.environ else name.upper()
    return found, os.environ.get(found, "").strip()


def _is_excepted(host: str, port: int) -> bool:
    """Whether NO_PROXY lists a host: by name, for its subdomains too, by address or network, with or without a port."""
    name = host.rstrip(".").lower()
    return any(
        entry == "*" or (only in (None, port) and _covers(entry, name)) for entry, only in _exceptions() if entry
    )


def _exceptions() -> Iterator[tuple[str, int | None]]:
    for entry in re.split(r"[\s,]+", _variable("no_proxy")[1].lower()):
        with_port = re.fullmatch(r"(\[.+\]|[^:]+):(\d+)", entry)
        yield (with_port[1], int(with_port[2])) if with_port else (entry, None)


def _covers(entry: str, name: str) -> bool:
    try:
        return ipaddress.ip_address(name) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        domain = entry.removeprefix("*").lstrip(".")
        return name == domain or name.endswith(f".{domain}")
