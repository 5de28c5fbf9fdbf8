"""Workers: uploads become versions, versions are deployed on the edge, addresses are updated. No HTTP here."""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from localcloud.cloudflare import drafts, errors, objects
from localcloud.cloudflare.models import Deployment, Script, Version
from localcloud.cloudflare.objects import ObjectNamespace
from localcloud.cloudflare.records import Records
from localcloud.cloudflare.responses import now
from localcloud.cloudflare.runtime import Runtime
from localcloud.cloudflare.sessions import Sessions
from localcloud.cloudflare.targets import Targets
from localcloud.cloudflare.uploads import Upload

Json = Any
log = logging.getLogger(__name__)
NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
KEPT_VERSIONS = 100
STARTS_AT_ONCE = 4
WHOLE = 100.0


class Workers:
    """The account's Workers. Changes to one Worker happen one after another, to different Workers in parallel."""

    def __init__(self, records: Records, sessions: Sessions, targets: Targets, runtime: Runtime) -> None:
        self.records = records
        self.runtime = runtime
        self._drafts = drafts.Drafts(runtime.blobs, sessions, targets)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    # --- looking up

    def script(self, name: str) -> Script:
        """Return the script. Raises ApiError 10007."""
        script = self.records.script(name)
        if script is None:
            raise errors.no_worker()
        return script

    def version(self, name: str, identifier: str) -> Version:
        """Return a version. Raises ApiError."""
        self.script(name)
        version = self.records.version(name, identifier)
        if version is None:
            raise errors.no_version(identifier)
        return version

    def running(self, name: str) -> Version:
        """Return the serving version, or the one with the largest share; the newest one when none is deployed."""
        deployment = self.records.deployment(name)
        if deployment:
            identifier = max(deployment.shares, key=lambda share: share[1])[0]
            return self.version(name, identifier)
        newest = self.records.latest(name)
        if newest is None:
            raise errors.no_versions(name)
        return newest

    # --- uploading

    async def upload(self, name: str, upload: Upload) -> tuple[Script, Version]:
        """Upload a new version, which gets all traffic when its code has loaded."""
        check_name(name)
        async with self._locks[name]:
            before = self.records.latest(name)
            tag = before.migration_tag if before else None
            found, tag = objects.migrated(self.runtime.objects.of(name), tag, upload.metadata.get("migrations"))
            version = self._drafts.upload(name, upload, before, found, tag)
            settings = drafts.script_settings(upload.metadata, self.records.script(name))
            version = await self._deploy(version, settings, found)
        return self.script(name), version

    async def add_version(self, name: str, upload: Upload) -> Version:
        """Add a version without traffic, after one test load of its code."""
        async with self._locks[name]:
            self.script(name)
            if upload.metadata.get("migrations"):
                raise errors.ApiError(400, 10211, "Migrations must be fully applied by a deployment of the Worker.")
            before, found = self.records.latest(name), self.runtime.objects.of(name)
            tag = before.migration_tag if before else None
            return await self._load_and_store(self._drafts.upload(name, upload, before, found, tag))

    async def patch(self, name: str, settings: dict[str, Json]) -> Version:
        """Deploy a version like the newest one with other settings (bindings, compatibility, limits, …)."""
        async with self._locks[name]:
            before = self._editable(name)
            version = self._drafts.patch(before, settings)
            return await self._deploy(version, drafts.patched_settings(settings, self.script(name)))

    async def add_script(self, name: str) -> Script:
        """Add a script without a version."""
        check_name(name)
        async with self._locks[name]:
            if self.records.script(name) is None:
                self.records.save_script(drafts.new_script(name, now()))
        return self.script(name)

    async def patch_script(self, name: str, settings: dict[str, Json]) -> Script:
        """Change the script's settings; nothing is deployed."""
        async with self._locks[name]:
            script = self.script(name)
            script = replace(script, settings=drafts.patched_settings(settings, script), modified_on=now())
            self.records.save_script(script)
        return script

    async def set_secrets(self, name: str, changes: dict[str, str | None]) -> Version:
        """Deploy a version with secrets added, replaced or (None) removed. Raises ApiError 10053 and 10056."""
        async with self._locks[name]:
            before = self._editable(name)
            return await self._deploy(drafts.with_secrets(before, changes), None)

    async def add_secrets(self, name: str, changes: dict[str, str | None], annotations: dict[str, str]) -> Version:
        """Add such a version without traffic, from the newest version, which need not serve."""
        async with self._locks[name]:
            self.script(name)
            before = self.records.latest(name)
            if before is None:
                raise errors.no_versions(name)
            return await self._load_and_store(replace(drafts.with_secrets(before, changes), annotations=annotations))

    async def _load_and_store(self, version: Version) -> Version:
        """Load a version once as a test, and store it."""
        version = await self.runtime.load(version, self.runtime.spec(version))
        await self.runtime.unload(version)
        self.records.add_version(version)
        self._prune(version.script)
        return version

    def _editable(self, name: str) -> Version:
        """Return the newest version. Raises ApiError when it does not serve: an edit would deploy it by accident."""
        self.script(name)
        newest = self.records.latest(name)
        deployment = self.records.deployment(name)
        if newest is None:
            raise errors.no_versions(name)
        if deployment is None or [version for version, _ in deployment.shares] != [newest.id]:
            message = "The latest version of your Worker isn't currently deployed. Deploy it first."
            raise errors.ApiError(400, 10215, message)
        return newest

    # --- deploying

    async def _deploy(
        self, version: Version, settings: dict[str, Json] | None, namespaces: list[ObjectNamespace] | None = None
    ) -> Version:
        """Start a version, move all traffic to it, store it, and update the Worker's addresses.

        `namespaces` are its new Durable Object namespaces, when they change.
        """
        spec = self.runtime.spec(version, namespaces)
        version = await self.runtime.load(version, spec)
        await self.runtime.share(version.script, {version.id: spec}, [(version.id, WHOLE)])
        moment = version.created_on
        script = self.records.script(version.script) or drafts.new_script(version.script, moment)
        script = replace(script, modified_on=moment, settings=settings or script.settings)
        with self.records.store.transaction():
            self.records.save_script(script)
            if namespaces is not None:
                self.runtime.objects.replace(version.script, namespaces)
            self.records.add_version(version)
            self.records.add_deployment(_deployment(version.script, [(version.id, WHOLE)], {}))
        self._prune(version.script)
        await self.runtime.readdress(version.script)
        return version

    async def deploy(
        self, name: str, shares: Sequence[tuple[str, float]], annotations: dict[str, str], force: bool = False
    ) -> Deployment:
        """Split the traffic between existing versions. A rollback is a deployment of an older one."""
        async with self._locks[name]:
            versions = {identifier: self.version(name, identifier) for identifier, _ in shares}
            if not force:
                self._check_secrets(name, versions)
            if len(versions) > 1 and self.runtime.objects.of(name):
                raise errors.invalid("a Worker with Durable Objects cannot run in two versions here")
            specs = {identifier: self.runtime.spec(version) for identifier, version in versions.items()}
            await self.runtime.share(name, specs, shares)
            made = _deployment(name, list(shares), annotations)
            with self.records.store.transaction():
                self.records.add_deployment(made)
                self.records.save_script(replace(self.script(name), modified_on=made.created_on))
            await self.runtime.readdress(name)
        return made

    def _check_secrets(self, name: str, versions: dict[str, Version]) -> None:
        newest = self.records.latest(name)
        if newest is None:
            return
        names: set[str] = set()
        for version in versions.values():
            both = set(newest.secrets) | set(version.secrets)
            names |= {secret for secret in both if newest.secrets.get(secret) != version.secrets.get(secret)}
        if names:
            message = f"The following secrets have changed: {', '.join(sorted(names))}"
            raise errors.ApiError(400, 10220, message)

    async def delete(self, name: str, force: bool) -> None:
        """Stop and delete a Worker. Raises ApiError 10142 while another Worker is bound to it, unless forced."""
        async with self._locks[name]:
            self.script(name)
            if not force and (others := self.references(name)):
                message = (
                    f"Worker '{name}' is still bound by other Workers ({', '.join(others)}): remove those service "
                )
                raise errors.ApiError(409, 10142, message + "bindings first, or delete it with force=true.")
            self.records.drop_script(name)
            await self.runtime.remove(name)

    def references(self, name: str) -> list[str]:
        """Return other Workers whose serving version has a service binding to this one."""
        return [other for other in self._bound("service", "service", name) if other != name]

    def producers(self, queue: str) -> list[str]:
        """Return the Workers whose serving version is bound to the queue of this name."""
        return self._bound("queue", "queue_name", queue)

    def _bound(self, kind: str, key: str, target: str) -> list[str]:
        found = []
        for script in self.records.scripts():
            if self.records.latest(script.name):
                bindings = self.running(script.name).bindings
                if any(binding["type"] == kind and binding[key] == target for binding in bindings):
                    found.append(script.name)
        return found

    # --- addresses

    async def set_subdomain(self, name: str, enabled: bool | None, previews: bool | None) -> Script:
        """Turn the address below workers.localhost on or off."""
        async with self._locks[name]:
            script = self.script(name)
            script = replace(
                script,
                enabled=script.enabled if enabled is None else enabled,
                previews_enabled=script.previews_enabled if previews is None else previews,
            )
            self.records.save_script(script)
            await self.runtime.readdress(name)
        return script

    # --- restart

    async def start(self) -> None:
        """Start every Worker as before the restart. A failing one is logged and answers 503."""
        self.runtime.blobs.sweep(self.records.documents())
        places = asyncio.Semaphore(STARTS_AT_ONCE)

        async def restore(name: str) -> None:
            async with places:
                await self._restore(name)

        await asyncio.gather(*(restore(script.name) for script in self.records.scripts()))

    async def _restore(self, name: str) -> None:
        deployment = self.records.deployment(name)
        shares = deployment.shares if deployment else []
        specs = {identifier: self.runtime.spec(self.version(name, identifier)) for identifier, _ in shares}
        await self.runtime.restore(name, specs, shares)

    def _prune(self, name: str) -> None:
        """Delete old versions beyond the newest ones, but none in a current deployment."""
        deployment = self.records.deployment(name)
        needed = {version for version, _ in deployment.shares} if deployment else set()
        old = self.records.versions(name)[KEPT_VERSIONS:]
        self.records.drop_versions(name, [version.id for version in old if version.id not in needed])


def check_name(name: str) -> None:
    """Check a Worker's name. Raises ApiError 10016."""
    if not NAME.fullmatch(name):
        raise errors.bad_name(name)


def _deployment(name: str, shares: list[tuple[str, float]], annotations: dict[str, str]) -> Deployment:
    return Deployment(
        id=str(uuid.uuid4()), script=name, created_on=now(), shares=shares, annotations=annotations, source="api"
    )
