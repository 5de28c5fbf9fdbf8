"""The expiry of a service's TLS certificate."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from clients.http import proxy_for, tls_context

WARN_DAYS = 14


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """`ends` is ISO 8601. Without a trusted certificate, `trouble` is the reason."""

    ends: str | None = None
    trouble: str | None = None

    def days(self, now: datetime) -> float | None:
        return (datetime.fromisoformat(self.ends) - now).total_seconds() / 86400 if self.ends else None


def fetch_certificate(address: str, seconds: float, context: ssl.SSLContext | None = None) -> Certificate | None:
    """Return the certificate of an https address. None for http, and if nothing responds."""
    parts = urlsplit(address)
    if parts.scheme != "https" or parts.hostname is None:
        return None
    if proxy_for(address) is not None:  # a plain TLS handshake does not go through a proxy
        return None
    try:
        context = context or tls_context()
        with (
            socket.create_connection((parts.hostname, parts.port or 443), seconds) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as secure,
        ):
            ends = str((secure.getpeercert() or {})["notAfter"])
    except ssl.SSLCertVerificationError as error:
        return Certificate(trouble=error.verify_message)
    except (OSError, KeyError):
        return None
    return Certificate(ends=datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC).isoformat())
