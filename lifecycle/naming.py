"""The one place for names and addresses that the clouds see."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pulumi

from stack_outputs import Owner

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import WorkerSettings

RELEASE_VARIABLE = "RELEASE"
"""What the backend and the Workers find their own fingerprint under."""


BACKEND_VARIABLE = "BACKEND"
"""What the api Worker finds the name of its backend's app under; plain, so that it shows whose traffic it is. The
backend finds its own app's name under it too: each release has another, so whatever one app alone may write to (a
replica of its database) can be named after it.
"""
GENERATION_VARIABLE = "GENERATION"


def owner() -> Owner:
    """The running stack."""
    return Owner(organization=pulumi.get_organization(), project=pulumi.get_project(), stack=pulumi.get_stack())


def app_name(base: str, generation: int, revision: int) -> str:
    """Names are unique in an account, so each new app beside the old has its own. The first one has the name that the
    network's app has always had, `base`; then `base-g2` (generation 2), `base-g2-r3` (its third app).
    """
    if revision > 1:
        return f"{base}-g{generation}-r{revision}"
    return base if generation == 1 else f"{base}-g{generation}"


def worker_url(workers_url: str, worker: WorkerSettings) -> str:
    """A Worker's public address: its own domain when it has one, else its workers.dev address; no slash at the end."""
    url = workers_url.format(script=worker.script)
    if worker.domain is None:
        return url
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{worker.domain.hostname}{port}"


def short(digest: str) -> str:
    """A digest as people read it: its first twelve hex digits."""
    return digest.removeprefix("sha256:")[:12]
