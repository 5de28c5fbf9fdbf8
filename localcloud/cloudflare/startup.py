"""The start and stop of one cloud's Workers, and the parts that they share."""

from __future__ import annotations

from localcloud.cloud import Cloud
from localcloud.cloudflare import tails
from localcloud.cloudflare.api import Api
from localcloud.cloudflare.blobs import Blobs
from localcloud.cloudflare.buckets import Buckets
from localcloud.cloudflare.databases import Databases
from localcloud.cloudflare.namespaces import Namespaces
from localcloud.cloudflare.queues import Queues
from localcloud.cloudflare.records import Records
from localcloud.cloudflare.runtime import Runtime
from localcloud.cloudflare.schedules import Schedules
from localcloud.cloudflare.sessions import Sessions
from localcloud.cloudflare.targets import Targets
from localcloud.cloudflare.workers import Workers
from localcloud.cloudflare.zones import Zones
from localcloud.edge_storage import EdgeStorage


async def start(cloud: Cloud) -> None:
    """Start all stored Workers and their cron triggers."""
    api = api_of(cloud)
    await api.workers.start()
    api.schedules.start()


async def stop(cloud: Cloud) -> None:
    """Stop the cron triggers."""
    await api_of(cloud).schedules.stop()


def api_of(cloud: Cloud) -> Api:
    """Return the cloud's only Api, which the first call creates."""
    api: Api | None = vars(cloud).get("cloudflare")
    if api is None:
        api = vars(cloud)["cloudflare"] = _make(cloud)
    return api


def _make(cloud: Cloud) -> Api:
    records = Records(cloud.store, cloud.vault)
    blobs = Blobs(cloud.root / "cloudflare")
    sessions = Sessions(records, cloud.vault, blobs)
    zones = Zones(records)
    storage = EdgeStorage(cloud.edge)
    namespaces, buckets = Namespaces(cloud.store, storage), Buckets(cloud.store, storage)
    databases, queues = Databases(cloud.store, storage), Queues(cloud.store, storage)
    targets = Targets(records, namespaces, buckets, databases, queues)
    follows = tails.Tails()
    cloud.edge.traced = follows.hear
    return Api(
        account_id=cloud.tokens.account_id,
        token=cloud.tokens.cloudflare,
        records=records,
        sessions=sessions,
        workers=Workers(records, sessions, targets, Runtime(records, blobs, zones, targets, cloud.edge)),
        zones=zones,
        namespaces=namespaces,
        buckets=buckets,
        databases=databases,
        queues=queues,
        schedules=Schedules(cloud.store, cloud.edge),
        tails=follows,
    )
