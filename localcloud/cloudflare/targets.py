"""The targets of bindings: an upload that is bound to a missing target is refused, as Cloudflare does.

The codes were reported from the real API (https://github.com/alchemy-run/distilled/pull/365).
"""

from __future__ import annotations

from typing import Any

from localcloud.cloudflare import queues
from localcloud.cloudflare.buckets import Buckets
from localcloud.cloudflare.databases import Databases
from localcloud.cloudflare.errors import ApiError
from localcloud.cloudflare.namespaces import Namespaces
from localcloud.cloudflare.queues import Queues
from localcloud.cloudflare.records import Records

Json = Any


class Targets:
    """Everything in the account that a Worker can be bound to."""

    def __init__(
        self, records: Records, namespaces: Namespaces, buckets: Buckets, databases: Databases, queues: Queues
    ) -> None:
        self._records = records
        self._namespaces = namespaces
        self._buckets = buckets
        self._databases = databases
        self._queues = queues

    def check(self, script: str, bindings: list[dict[str, Json]]) -> None:
        """Check the bindings of a Worker. Raises ApiError for the first one with a missing target."""
        for binding in bindings:
            match binding["type"]:
                case "service":
                    self._service(script, binding)
                case "kv_namespace" if not self._namespaces.exists(str(binding["namespace_id"])):
                    raise ApiError(400, 10041, f"KV namespace '{binding['namespace_id']}' not found.")
                case "r2_bucket" if not self._buckets.exists(str(binding["bucket_name"])):
                    raise ApiError(400, 10085, f"R2 bucket '{binding['bucket_name']}' not found.")
                case "d1" if not self._databases.exists(str(binding["id"])):
                    why = f"D1 binding '{binding['name']}' references database '{binding['id']}' which was not found."
                    raise ApiError(400, 10181, why)
                case "queue" if self._queues.named(str(binding["queue_name"])) is None:
                    raise ApiError(400, 11000, f"Queue '{binding['queue_name']}' does not exist.")

    def places(self, storage: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
        """Return the storage bindings with queues' ids in place of their names."""
        return {name: (kind, self._place(kind, target)) for name, (kind, target) in storage.items()}

    def _place(self, kind: str, target: str) -> str:
        queue = self._queues.named(target) if kind == queues.KIND else None
        return queue.id if queue else target

    def _service(self, script: str, binding: dict[str, Json]) -> None:
        target = str(binding["service"])
        if target != script and self._records.script(target) is None:
            message = f"Could not resolve service binding '{binding['name']}'. Target script '{target}' not found."
            raise ApiError(400, 10144, message)
