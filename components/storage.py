"""The Workers' storage: KV namespaces, R2 buckets, D1 databases and queues."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from components.bindings import Stored
from provider_sdks import cloudflare

if TYPE_CHECKING:
    from settings import Settings, StorageKind


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    account_id: pulumi.Input[str]
    """The id of the Cloudflare account, 32 hex digits."""
    resources: Iterable[tuple[StorageKind, str]]
    """Kind and name of each storage resource."""
    retain: bool = True
    """True if a resource stays in the account when it is not declared any more."""
    gate: pulumi.Resource
    """The check that must pass before any storage is made."""

    @classmethod
    def of(cls, settings: Settings, gate: pulumi.Resource) -> StorageArgs:
        return cls(account_id=settings.account_id, resources=settings.storage, retain=settings.keep_storage, gate=gate)


class Storage(pulumi.ComponentResource):
    """One resource for each name that a Worker's configuration binds or consumes. Workers may share a resource.

    A resource stays in the account when no Worker names it any more, unless `retain` is false. Backups do not contain
    it.
    """

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Storage", name, None, opts)
        self._account = args.account_id
        self._options = pulumi.ResourceOptions(parent=self, depends_on=[args.gate], retain_on_delete=args.retain)
        self._made = {(kind, each): self._make(f"{name}-{kind}-{each}", kind, each) for kind, each in args.resources}
        self.register_outputs({})

    def binding(self, name: str, kind: StorageKind, resource_name: str) -> Stored:
        """Return the binding `name` of the storage called `resource_name`."""
        resource = self._made[kind, resource_name]
        match resource:
            case cloudflare.WorkersKvNamespace():
                return Stored(name=name, kind="kv_namespace", id=resource.id)
            case cloudflare.R2Bucket():
                return Stored(name=name, kind="r2_bucket", id=resource.name)
            case cloudflare.D1Database():
                return Stored(name=name, kind="d1", id=resource.id)
            case _:
                return Stored(name=name, kind="queue", id=resource.queue_name)

    def queue_id(self, queue: str) -> pulumi.Output[str]:
        """Return a queue's id, by its name."""
        return self._made["queue", queue].id

    def _make(
        self, name: str, kind: StorageKind, resource_name: str
    ) -> cloudflare.WorkersKvNamespace | cloudflare.R2Bucket | cloudflare.D1Database | cloudflare.Queue:
        match kind:
            case "kv":
                return cloudflare.WorkersKvNamespace(
                    name, account_id=self._account, title=resource_name, opts=self._options
                )
            case "r2":
                return cloudflare.R2Bucket(name, account_id=self._account, name=resource_name, opts=self._options)
            case "d1":
                # Cloudflare always returns this property; without it, a refresh would show a change.
                replication = cloudflare.D1DatabaseReadReplicationArgs(mode="disabled")
                return cloudflare.D1Database(
                    name, account_id=self._account, name=resource_name, read_replication=replication, opts=self._options
                )
            case "queue":
                return cloudflare.Queue(name, account_id=self._account, queue_name=resource_name, opts=self._options)
