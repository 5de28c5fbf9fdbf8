"""A Cloudflare Worker: its script with bindings and assets, its workers.dev address, its own domain."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from artifacts.modules import module_digest
from components.bindings import Assets, Binding, DurableObjects, PlainText, SecretText, Service, Stored
from components.declared_worker import DeclaredWorker, DeclaredWorkerArgs, Uploads
from components.worker_args import Domain, WorkerArgs
from lifecycle.errors import guarded
from lifecycle.import_options import import_options
from lifecycle.naming import RELEASE_VARIABLE, owner
from provider_sdks import cloudflare
from stack_outputs import OWNER_VARIABLE

MODULE = "worker.js"
SCRIPT_INPUTS = (
    "content",
    "main_module",
    "compatibility_date",
    "compatibility_flags",
    "bindings",
    "observability",
    "assets",
    "logpush",
    "limits",
    "tail_consumers",
    "usage_model",
)
SUBDOMAIN_INPUTS = ("enabled", "previews_enabled")
PUBLIC_FETCH = "global_fetch_strictly_public"
RUN_TIME_PATHS = ["/config.json", "/_api/*"]
"""Paths that the static Worker's module answers; every other path is an asset or the single page."""


class Worker(pulumi.ComponentResource):
    """Produces `url`, the Worker's public address, once the Worker answers there, and `script`, the script's name, once
    it is uploaded.

    Always sets observability and both workers.dev switches: a property that is left out shows up as a change after a
    refresh.

    An adopted Worker of a module is imported. An adopted site is only read, until its first release uploads it.
    """

    url: pulumi.Output[str]
    script: pulumi.Output[str]

    def __init__(self, name: str, args: WorkerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Worker", name, None, opts)
        uploads = Uploads()
        bindings = [*args.bindings, *_own_bindings(args)]
        script = self._script(name, args, bindings, uploads)
        self._declared(name, args, bindings, uploads, script)
        subdomain = self._subdomain(name, args, script)
        domain = self._domain(name, args.domain, args, script) if args.domain else None
        self._triggers(name, args, script)
        self.url = pulumi.Output.all(subdomain.id, domain.id if domain else "").apply(lambda _: args.url)
        self.script = script.script_name
        self.register_outputs({"url": self.url, "script": self.script})

    def _script(
        self, name: str, args: WorkerArgs, bindings: Sequence[Binding], uploads: Uploads
    ) -> cloudflare.WorkersScript:
        if args.import_id and args.assets:
            # The provider cannot import files: it reads none back, and then refuses a Worker without files.
            return cloudflare.WorkersScript.get(f"{name}-script", args.import_id, pulumi.ResourceOptions(parent=self))
        return cloudflare.WorkersScript(
            f"{name}-script",
            account_id=args.account_id,
            script_name=args.script,
            main_module=MODULE,
            content=args.module,
            compatibility_date=args.compatibility_date,
            compatibility_flags=_flags(args),  # also when empty: the provider does not notice a removal
            bindings=_arguments(bindings),
            observability=cloudflare.WorkersScriptObservabilityArgs(enabled=True, head_sampling_rate=1),
            assets=_assets(args),
            migrations=args.migrations,
            opts=import_options(self._options(args, uploads), args.import_id, SCRIPT_INPUTS),
        )

    def _declared(
        self,
        name: str,
        args: WorkerArgs,
        bindings: Sequence[Binding],
        uploads: Uploads,
        script: cloudflare.WorkersScript,
    ) -> None:
        """Record the declaration and its upload."""
        DeclaredWorker(
            f"{name}-declared",
            DeclaredWorkerArgs(
                script=args.script,
                bindings=bindings,
                uploads=uploads,
                etag=script.etag,
                modified=script.modified_on,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[script]),
        )

    def _subdomain(
        self, name: str, args: WorkerArgs, script: cloudflare.WorkersScript
    ) -> cloudflare.WorkersScriptSubdomain:
        return cloudflare.WorkersScriptSubdomain(
            f"{name}-subdomain",
            account_id=args.account_id,
            script_name=script.script_name,
            enabled=args.workers_dev,
            previews_enabled=False,
            opts=import_options(_after_script(self, script, args.ownership.having), args.import_id, SUBDOMAIN_INPUTS),
        )

    def _domain(
        self, name: str, domain: Domain, args: WorkerArgs, script: cloudflare.WorkersScript
    ) -> cloudflare.WorkersCustomDomain:
        return cloudflare.WorkersCustomDomain(
            f"{name}-domain",
            account_id=args.account_id,
            hostname=domain.hostname,
            zone_id=domain.zone_id,
            service=script.script_name,
            # Every change is a replacement. If the old domain were deleted last, the new one of that name would go too.
            opts=import_options(
                pulumi.ResourceOptions.merge(
                    _after_script(self, script, _ownership_hooks(args)),
                    pulumi.ResourceOptions(delete_before_replace=True),
                ),
                domain.import_id,
                (),
            ),
        )

    def _triggers(self, name: str, args: WorkerArgs, script: cloudflare.WorkersScript) -> None:
        """Create the Worker's cron triggers and queue consumers."""
        after_script = _after_script(self, script, args.ownership.having)
        if args.crons is not None:
            cloudflare.WorkersCronTrigger(
                f"{name}-crons",
                account_id=args.account_id,
                script_name=script.script_name,
                schedules=[cloudflare.WorkersCronTriggerScheduleArgs(cron=cron) for cron in args.crons],
                opts=after_script,
            )
        for queue, consumer in args.consumers.items():
            cloudflare.QueueConsumer(
                f"{name}-consumes-{queue}",
                account_id=args.account_id,
                queue_id=consumer.queue_id,
                type="worker",
                script_name=script.script_name,
                dead_letter_queue=consumer.dead_letter_queue,
                settings=cloudflare.QueueConsumerSettingsArgs(
                    batch_size=consumer.batch_size,
                    max_wait_time_ms=consumer.max_wait_ms,
                    max_retries=consumer.max_retries,
                ),
                opts=after_script,
            )

    def _options(self, args: WorkerArgs, uploads: Uploads) -> pulumi.ResourceOptions:
        after = pulumi.ResourceHookBinding(
            after_create=[guarded(uploads.noted())], after_update=[guarded(uploads.noted(args.after))]
        )
        hooks = pulumi.ResourceHookBinding.merge(_ownership_hooks(args), after)
        return pulumi.ResourceOptions(parent=self, depends_on=[args.gate], hooks=hooks)


def _ownership_hooks(args: WorkerArgs) -> pulumi.ResourceHookBinding:
    """Return the hooks that check the owner. An adopted Worker is imported, so it needs no check before a create."""
    return args.ownership.having if args.import_id else args.ownership.making


def _after_script(
    worker: Worker, script: cloudflare.WorkersScript, hooks: pulumi.ResourceHookBinding
) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(parent=worker, depends_on=[script], hooks=hooks)


def _own_bindings(args: WorkerArgs) -> list[Binding]:
    """Return the bindings with the Worker's release and its owner."""
    release = args.assets.digest if args.assets else module_digest(args.module)
    return [PlainText(name=RELEASE_VARIABLE, value=release), PlainText(name=OWNER_VARIABLE, value=str(owner()))]


def _assets(args: WorkerArgs) -> cloudflare.WorkersScriptAssetsArgs | None:
    if args.assets is None:
        return None
    return cloudflare.WorkersScriptAssetsArgs(
        directory=args.assets.directory,
        config=cloudflare.WorkersScriptAssetsConfigArgs(
            not_found_handling=args.not_found,
            run_worker_first=RUN_TIME_PATHS,
            headers=args.assets.sent_headers,
            redirects=args.assets.redirects,
        ),
    )


def _flags(args: WorkerArgs) -> list[str]:
    """Return the configured flags, and for a site the flag for public fetches.

    A site forwards requests to the API, which may be a workers.dev address of the same account. Without the flag,
    Cloudflare answers such a request with error 1042 (workers-sdk#11215).
    """
    flags = args.compatibility_flags
    added = (PUBLIC_FETCH,) if args.assets and PUBLIC_FETCH not in flags else ()
    return [*flags, *added]


def _arguments(bindings: Sequence[Binding]) -> list[cloudflare.WorkersScriptBindingArgs]:
    """Return the bindings sorted by name: the provider compares them as an ordered list."""
    return [_argument(binding) for binding in sorted(bindings, key=lambda each: each.name)]


def _argument(binding: Binding) -> cloudflare.WorkersScriptBindingArgs:
    match binding:
        case SecretText():
            return cloudflare.WorkersScriptBindingArgs(
                name=binding.name, type="secret_text", text=pulumi.Output.secret(binding.value)
            )
        case PlainText():
            return cloudflare.WorkersScriptBindingArgs(name=binding.name, type="plain_text", text=binding.value)
        case Assets():
            return cloudflare.WorkersScriptBindingArgs(name=binding.name, type="assets")
        case Service():
            return cloudflare.WorkersScriptBindingArgs(
                name=binding.name, type="service", service=binding.script, entrypoint=binding.entrypoint
            )
        case DurableObjects():
            return cloudflare.WorkersScriptBindingArgs(
                name=binding.name,
                type="durable_object_namespace",
                class_name=binding.class_name,
                script_name=binding.script,
            )
        case Stored():
            return _storage_argument(binding)


def _storage_argument(binding: Stored) -> cloudflare.WorkersScriptBindingArgs:
    """Return a storage binding. Each kind has its own key for the storage's id or name."""
    name, kind = binding.name, binding.kind
    match kind:
        case "kv_namespace":
            return cloudflare.WorkersScriptBindingArgs(name=name, type=kind, namespace_id=binding.id)
        case "r2_bucket":
            return cloudflare.WorkersScriptBindingArgs(name=name, type=kind, bucket_name=binding.id)
        case "d1":
            return cloudflare.WorkersScriptBindingArgs(name=name, type=kind, id=binding.id)
        case "queue":
            return cloudflare.WorkersScriptBindingArgs(name=name, type=kind, queue_name=binding.id)
