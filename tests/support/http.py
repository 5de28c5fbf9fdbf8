"""Requests to servers on loopback."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

# Reading the certificate authorities takes longer than most of these requests; nothing here speaks TLS.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def ask(method: str, url: str, *, token: str = "", **options: Any) -> httpx.Response:
    """One request on a connection of its own; `options` are httpx's."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    headers |= options.pop("headers", {})
    with httpx.Client(verify=NO_TLS, timeout=15, trust_env=False) as client:
        return client.request(method, url, headers=headers, **options)
