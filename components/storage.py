"""What holds the Workers' data outside of them: KV namespaces, R2 buckets, D1 databases and queues."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.bindings import Stored
from provider_sdks import cloudflare
from settings import Settings, StorageKind


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    settings: Settings
    gate: pulumi.Resource
    """Nothing is made before it has let the update pass."""


class Storage(pulumi.ComponentResource):
    """One resource for each name that the configuration of a Worker binds or consumes, whichever Workers share it.

    Each stays in the account when no Worker names it any more, unless `keepStorage` is false. No backup has it.
    """

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Storage", name, None, opts)
        self._account = args.settings.account_id
        self._options = pulumi.ResourceOptions(
            parent=self, depends_on=[args.gate], retain_on_delete=args.settings.keep_storage
        )
        self._made = {
            (kind, each): self._make(f"{name}-{kind}-{each}", kind, each) for kind, each in args.settings.storage
        }
        self.register_outputs({})

    def binding(self, name: str, kind: StorageKind, stored: str) -> Stored:
        """The binding `name` to what is called `stored`."""
        made = self._made[kind, stored]
        match made:
            case cloudflare.WorkersKvNamespace():
                return Stored(name=name, kind="kv_namespace", id=made.id)
            case cloudflare.R2Bucket():
                return Stored(name=name, kind="r2_bucket", id=made.name)
            case cloudflare.D1Database():
                return Stored(name=name, kind="d1", id=made.id)
            case _:
                return Stored(name=name, kind="queue", id=made.queue_name)

    def queue_id(self, queue: str) -> pulumi.Output[str]:
        """A queue's id, by its name."""
        return self._made["queue", queue].id

    def _make(
        self, name: str, kind: StorageKind, stored: str
    ) -> cloudflare.WorkersKvNamespace | cloudflare.R2Bucket | cloudflare.D1Database | cloudflare.Queue:
        match kind:
            case "kv":
                return cloudflare.WorkersKvNamespace(name, account_id=self._account, title=stored, opts=self._options)
            case "r2":
                return cloudflare.R2Bucket(name, account_id=self._account, name=stored, opts=self._options)
            case "d1":
                # Cloudflare tells it always, and what is left out would be a change after a refresh.
                replication = cloudflare.D1DatabaseReadReplicationArgs(mode="disabled")
                return cloudflare.D1Database(
                    name, account_id=self._account, name=stored, read_replication=replication, opts=self._options
                )
            case "queue":
                return cloudflare.Queue(name, account_id=self._account, queue_name=stored, opts=self._options)
