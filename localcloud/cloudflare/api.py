"""The parts of the cloud that every handler of the Cloudflare API gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from localcloud.cloudflare.buckets import Buckets
from localcloud.cloudflare.databases import Databases
from localcloud.cloudflare.namespaces import Namespaces
from localcloud.cloudflare.queues import Queues
from localcloud.cloudflare.records import Records
from localcloud.cloudflare.schedules import Schedules
from localcloud.cloudflare.sessions import Sessions
from localcloud.cloudflare.workers import Workers
from localcloud.cloudflare.zones import Zones

if TYPE_CHECKING:
    from localcloud.cloudflare.tails import Tails


@dataclass(frozen=True, kw_only=True)
class Api:
    """The parts; one instance for each local cloud."""

    account_id: str
    token: str
    records: Records
    sessions: Sessions
    workers: Workers
    zones: Zones
    namespaces: Namespaces
    buckets: Buckets
    databases: Databases
    queues: Queues
    schedules: Schedules
    tails: Tails


Handler = Callable[[Request, Api], Awaitable[Response]]
