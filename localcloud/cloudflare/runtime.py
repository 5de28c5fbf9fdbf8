"""Workers on the edge: their versions are loaded, share the traffic, and get their addresses."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from localcloud.cloudflare import bindings, errors, site
from localcloud.cloudflare.blobs import Blobs
from localcloud.cloudflare.models import Part, Version
from localcloud.cloudflare.objects import ObjectNamespace, ObjectNamespaces
from localcloud.cloudflare.records import Records
from localcloud.cloudflare.targets import Targets
from localcloud.cloudflare.uploads import KINDS, OLDEST_DATE
from localcloud.cloudflare.zones import Zones
from localcloud.edge import Edge
from localcloud.edge_process import WorkerStartError
from localcloud.worker_spec import Assets, Module, WorkerSpec

log = logging.getLogger(__name__)


class Runtime:
    """Runs the stored Workers on the edge."""

    def __init__(self, records: Records, blobs: Blobs, zones: Zones, targets: Targets, edge: Edge) -> None:
        self.blobs = blobs
        self.zones = zones
        self.objects = ObjectNamespaces(records.store)
        self._records = records
        self._targets = targets
        self._edge = edge

    async def load(self, version: Version, spec: WorkerSpec) -> Version:
        """Start a version without traffic and return it with its exports. Raises ApiError when it does not load."""
        if version.compatibility_date > spec.compatibility_date:
            asked, newest = version.compatibility_date, spec.compatibility_date
            log.warning("Worker %s asks for the compatibility date %s and runs with %s", version.script, asked, newest)
        try:
            info = await self._edge.load_worker(version.script, version.id, spec)
        except WorkerStartError as error:
            raise errors.invalid(str(error)) from None
        exported = {named["name"] for named in info.named}
        if missing := sorted(set(spec.objects) - exported):
            await self.unload(version)
            why = f"does not export class '{missing[0]}' which is depended on by existing Durable Objects"
            raise errors.ApiError(400, 10064, f"New version of script {why}.")
        if version.parts and not info.handlers and not any(named["handlers"] for named in info.named):
            await self.unload(version)
            raise errors.ApiError(400, 10068, "No event handlers were registered. This script does nothing.")
        named = [entry for entry in info.named if entry["handlers"]]
        return replace(version, handlers=info.handlers, named_handlers=named, startup_time_ms=info.startup_ms)

    async def unload(self, version: Version) -> None:
        """Stop a version that has no traffic."""
        await self._edge.unload_worker(version.script, version.id)

    async def share(self, name: str, specs: Mapping[str, WorkerSpec], shares: Sequence[tuple[str, float]]) -> None:
        """Split a Worker's traffic between versions. Raises ApiError when one does not load, and changes nothing."""
        try:
            await self._edge.share_worker(name, specs, shares)
        except WorkerStartError as error:
            raise errors.invalid(str(error)) from None

    async def restore(self, name: str, specs: Mapping[str, WorkerSpec], shares: Sequence[tuple[str, float]]) -> None:
        """Start a Worker as before the restart. A failing one is logged and answers 503."""
        await self.readdress(name)
        if not shares:
            return
        try:
            await self._edge.share_worker(name, specs, shares)
        except WorkerStartError as error:
            log.error("Worker %s does not start: %s", name, error)

    async def remove(self, name: str) -> None:
        """Stop a Worker and remove its addresses."""
        await self._edge.remove_worker(name)

    async def readdress(self, name: str) -> None:
        """Send the Worker's current addresses to the edge."""
        script = self._records.script(name)
        if script is None:
            return
        hosts = [self.zones.worker_host(name)] if script.enabled else []
        await self._edge.set_worker_hosts(name, [*hosts, *self.zones.hosts_of(name)])

    async def follow(self, name: str, *, wanted: bool) -> None:
        """Turn the traces of a Worker on the edge on or off."""
        await self._edge.follow_worker(name, wanted)

    def spec(self, version: Version, namespaces: list[ObjectNamespace] | None = None) -> WorkerSpec:
        """Build the specification that the edge runs; `namespaces` when they are about to change."""
        bound = bindings.runtime(version)
        known = self.objects.of(version.script) if namespaces is None else namespaces
        assets = None
        if version.site:
            folder = self.blobs.site(version.site.manifest, version.site.config)
            assets = Assets(
                directory=folder,
                binding=bound.assets,
                config=site.effective(version.site.config),
                types=self.blobs.content_types(version.site.manifest),
            )
        return WorkerSpec(
            modules=[
                Module(name=part.name, kind=_kind(version, part), file=self.blobs.module(part.digest))
                for part in version.parts
            ],
            compatibility_date=min(version.compatibility_date or OLDEST_DATE, self._edge.newest_date),
            compatibility_flags=version.compatibility_flags,
            texts=bound.texts,
            secrets=bound.secrets,
            json=bound.json,
            services=bound.services,
            storage=self._targets.places(bound.storage),
            objects={each.class_name: each.id for each in known},
            object_bindings=bound.objects,
            assets=assets,
            cpu_ms=(version.limits or {}).get("cpu_ms"),
            log=self.blobs.logs / f"{version.script}.jsonl",
        )


def _kind(version: Version, part: Part) -> str:
    return "Script" if version.classic else KINDS[part.content_type]
