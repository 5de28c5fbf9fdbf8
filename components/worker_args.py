"""The arguments of a Cloudflare Worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import pulumi

from artifacts.contents import AssetSet
from components.bindings import Binding
from lifecycle.clouds import Clouds
from lifecycle.errors import Hook
from lifecycle.naming import worker_url
from lifecycle.ownership import Ownership
from provider_sdks import cloudflare

if TYPE_CHECKING:
    from settings import ConsumerSettings, Settings, WorkerSettings


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A Worker's own domain."""

    hostname: pulumi.Input[str]
    """The host name, which must be in the zone."""
    zone_id: pulumi.Input[str]
    """The id of the zone with the host name, 32 hex digits."""
    import_id: str | None = None
    """The id of an adopted domain, which is imported."""


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """Delivery of a queue's messages. Cloudflare has a default for each option that is None."""

    queue_id: pulumi.Input[str]
    """The queue's id, 32 hex digits."""
    batch_size: pulumi.Input[int] | None = None
    """The most messages in one delivery."""
    max_wait_ms: pulumi.Input[int] | None = None
    """The longest time in which a delivery is filled, in milliseconds."""
    max_retries: pulumi.Input[int] | None = None
    """The number of further deliveries of a message whose delivery failed."""
    dead_letter_queue: pulumi.Input[str] | None = None
    """The name of the queue that gets messages whose delivery failed `max_retries` times."""


class Code(Protocol):
    """The code of all Workers."""

    @property
    def modules(self) -> Mapping[str, str]:
        """The text of each Worker's module, by service."""

    @property
    def assets(self) -> Mapping[str, AssetSet]:
        """The files of each site, by service."""


class Queues(Protocol):
    """The queues of all Workers."""

    def queue_id(self, queue: str) -> pulumi.Output[str]:
        """Return a queue's id, by its name."""


@dataclass(frozen=True, kw_only=True)
class WorkerArgs:
    account_id: pulumi.Input[str]
    """The id of the Cloudflare account, 32 hex digits."""
    script: pulumi.Input[str]
    """The script's name, which is the Worker's name in the account."""
    url: str
    """The public address, which is known before the Worker exists."""
    module: str
    """The text of the one module."""
    assets: AssetSet | None = None
    """The static files of a site."""
    not_found: pulumi.Input[str] | None = None
    """The answer for a path without a file: `single-page-application`, `404-page` or `none`."""
    compatibility_date: pulumi.Input[str]
    """The day whose behavior of the runtime the Worker gets: YYYY-MM-DD."""
    compatibility_flags: Sequence[str] = ()
    """Switches of the runtime's behavior, by Cloudflare's names."""
    bindings: Sequence[Binding] = ()
    """The bindings, without those of the release and the owner, which every Worker gets."""
    migrations: cloudflare.WorkersScriptMigrationsArgs | None = None
    """The migrations of the Durable Objects that the uploaded Worker does not have yet."""
    workers_dev: pulumi.Input[bool] = True
    """True if the Worker answers at its workers.dev address."""
    domain: Domain | None = None
    """The Worker's own domain."""
    crons: Sequence[pulumi.Input[str]] | None = None
    """Cron expressions in UTC. None leaves existing triggers; an empty list removes them."""
    consumers: Mapping[str, Consumer] = field(default_factory=dict)
    """The queues whose messages the Worker gets, by name."""
    import_id: str | None = None
    """The id of an adopted Worker, which is imported: `<account>/<script>`."""
    ownership: Ownership
    """The hooks that check the owner of the Worker's resources before they change."""
    gate: pulumi.Resource
    """The check that must pass before any Worker is changed."""
    after: Hook | None = None
    """Called after the script's upload. If it fails, the update fails."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        name: str,
        code: Code,
        queues: Queues,
        bindings: Sequence[Binding],
        ownership: Ownership,
        *,
        gate: pulumi.Resource,
        after: Hook | None,
    ) -> WorkerArgs:
        """Return the arguments for the Worker `name`."""
        from lifecycle.durable_object_migrations import pending

        worker, module, site = settings.workers[name], settings.modules.get(name), settings.sites.get(name)
        account, adopted = settings.account_id, worker.adopted
        return cls(
            account_id=account,
            script=worker.script,
            url=worker_url(settings.workers_url, worker),
            module=code.modules[name],
            assets=code.assets.get(name),
            not_found=site.not_found if site else None,
            compatibility_date=worker.compatibility_date,
            compatibility_flags=worker.compatibility_flags,
            bindings=bindings,
            migrations=pending(account, worker.script, module.migrations, Clouds()) if module else None,
            workers_dev=worker.workers_dev,
            domain=_domain_of(worker, account),
            crons=module.crons if module else None,
            consumers=_consumers_of(module.consumes, queues) if module else {},
            import_id=f"{account}/{worker.script}" if adopted else None,
            ownership=ownership,
            gate=gate,
            after=after,
        )


def _domain_of(worker: WorkerSettings, account: str) -> Domain | None:
    declared, adopted = worker.domain, worker.adopted
    if declared is None:
        return None
    import_id = f"{account}/{adopted.domain}" if adopted and adopted.domain else None
    return Domain(hostname=declared.hostname, zone_id=declared.zone_id, import_id=import_id)


def _consumers_of(consumes: Mapping[str, ConsumerSettings], queues: Queues) -> dict[str, Consumer]:
    return {
        queue: Consumer(
            queue_id=queues.queue_id(queue),
            batch_size=each.batch_size,
            max_wait_ms=each.max_wait_ms,
            max_retries=each.retries,
            dead_letter_queue=each.dead_letter_queue,
        )
        for queue, each in consumes.items()
    }
