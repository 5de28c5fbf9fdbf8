"""The one place for names and addresses that the clouds see."""

from __future__ import annotations

from urllib.parse import urlsplit

RELEASE_VARIABLE = "RELEASE"
"""What the backend and the Workers find their own fingerprint under."""


def app_name(base: str, generation: int) -> str:
    """Generation 1 is the app that the network has always had; later ones stand beside it, since names are unique."""
    return base if generation == 1 else f"{base}-g{generation}"


def worker_url(workers_url: str, script: str, hostname: str | None) -> str:
    """A Worker's public address: its own domain when it has one, else its workers.dev address; no slash at the end."""
    url = workers_url.format(script=script)
    if hostname is None:
        return url
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{hostname}{port}"


def short(digest: str) -> str:
    """A digest as people read it: its first twelve hex digits."""
    return digest.removeprefix("sha256:")[:12]
