"""What bindings lead to: an upload that is bound to something that does not exist is refused, as Cloudflare does.

The codes were seen on the real API by others (https://github.com/alchemy-run/distilled/pull/365).
"""

from __future__ import annotations

from typing import Any

from localcloud.cloudflare.errors import ApiError
from localcloud.cloudflare.namespaces import Namespaces
from localcloud.cloudflare.records import Records

Json = Any


class Targets:
    """Everything in the account that a Worker can be bound to."""

    def __init__(self, records: Records, namespaces: Namespaces) -> None:
        self._records = records
        self._namespaces = namespaces

    def check(self, script: str, bindings: list[dict[str, Json]]) -> None:
        """ApiError for the first of a Worker's bindings whose target is missing."""
        for binding in bindings:
            if binding["type"] == "service":
                self._service(script, binding)
            elif binding["type"] == "kv_namespace" and not self._namespaces.exists(str(binding["namespace_id"])):
                raise ApiError(400, 10041, f"KV namespace '{binding['namespace_id']}' not found.")

    def _service(self, script: str, binding: dict[str, Json]) -> None:
        target = str(binding["service"])
        if target != script and self._records.script(target) is None:
            message = f"Could not resolve service binding '{binding['name']}'. Target script '{target}' not found."
            raise ApiError(400, 10144, message)
