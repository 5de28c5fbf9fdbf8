"""Names and addresses in the clouds."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pulumi

from stack_outputs import Owner

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import WorkerSettings

RELEASE_VARIABLE = "RELEASE"
"""The variable with the release of the backend or the Worker."""


BACKEND_VARIABLE = "BACKEND"
"""The variable with the name of the backend's app.

The api Worker has it as plain text, so that everybody can read which app gets the traffic. The backend has its own
app's name. Each release has another name, so a resource that only one app may write to (a replica of its database) can
be named after the app.
"""
GENERATION_VARIABLE = "GENERATION"


def owner() -> Owner:
    """Return the running stack."""
    return Owner(organization=pulumi.get_organization(), project=pulumi.get_project(), stack=pulumi.get_stack())


def app_name(base: str, generation: int, revision: int) -> str:
    """Return an app's name. Names are unique in an account, so each new app has its own.

    The first app is called `base`, as the network's app has always been; then `base-g2` (generation 2), `base-g2-r3`
    (its third app).
    """
    if revision > 1:
        return f"{base}-g{generation}-r{revision}"
    return base if generation == 1 else f"{base}-g{generation}"


def worker_url(workers_url: str, worker: WorkerSettings) -> str:
    """Return a Worker's public address: its own domain if it has one, else workers.dev; without a trailing slash."""
    url = workers_url.format(script=worker.script)
    if worker.domain is None:
        return url
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{worker.domain.hostname}{port}"
