"""A Cloudflare Worker: its script with bindings and assets, its workers.dev address, its own domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi

from artifacts.contents import AssetSet, module_digest
from components.bindings import Assets, Binding, DurableObjects, PlainText, SecretText, Service, Stored
from components.declared_worker import DeclaredWorker, Uploads
from lifecycle.durable_object_migrations import pending
from lifecycle.errors import Hook, guarded
from lifecycle.import_options import import_options
from lifecycle.naming import RELEASE_VARIABLE, owner, worker_url
from lifecycle.ownership import Ownership
from provider_sdks import cloudflare
from settings import AssetsSettings, ConsumerSettings, ModuleSettings, Settings, WorkerSettings
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


@dataclass(frozen=True, kw_only=True)
class Account:
    """The Cloudflare account and its Workers' owners."""

    id: str
    workers_url: str
    """A Worker's address, with `{script}` for its name."""
    ownership: Ownership
    gate: pulumi.Resource
    """The check that must pass before any Worker is changed."""

    def address(self, worker: WorkerSettings) -> str:
        """Return a Worker's public address, which is known before the Worker exists."""
        return worker_url(self.workers_url, worker)

    @classmethod
    def of(cls, settings: Settings, gate: pulumi.Resource) -> Account:
        return cls(
            id=settings.account_id, workers_url=settings.workers_url, ownership=Ownership.of(settings), gate=gate
        )


@dataclass(frozen=True, kw_only=True)
class WorkerArgs:
    account: Account
    settings: WorkerSettings
    module: str
    """The text of the one module."""
    bindings: Sequence[Binding]
    queue_id: Callable[[str], pulumi.Input[str]]
    """Returns the id of a consumed queue, by name."""
    assets: AssetSet | None = None
    after: Hook | None = None
    """Called after the script's upload. If it fails, the update fails."""


class Worker(pulumi.ComponentResource):
    """Produces `url`, the Worker's public address, once the Worker answers there.

    Always sets observability and both workers.dev switches: a property that is left out shows up as a change after a
    refresh.

    An adopted Worker of a module is imported. An adopted site is only read, until its first release uploads it.
    """

    url: pulumi.Output[str]
    script: pulumi.Output[str]
    """The script's name, known after the upload."""

    def __init__(self, name: str, args: WorkerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Worker", name, None, opts)
        uploads = Uploads()
        bindings = [*args.bindings, *_own_bindings(args)]
        script = self._script(name, args, bindings, uploads)
        after_script = pulumi.ResourceOptions(parent=self, depends_on=[script])
        DeclaredWorker(
            f"{name}-declared", args.settings.script, bindings, uploads, script.etag, script.modified_on, after_script
        )
        subdomain = self._subdomain(name, args, script)
        domain = self._domain(name, args, script)
        if isinstance(args.settings, ModuleSettings):
            self._triggers(name, args.settings, args, script)
        address = args.account.address(args.settings)
        self.url = pulumi.Output.all(subdomain.id, domain.id if domain else "").apply(lambda _: address)
        self.script = script.script_name
        self.register_outputs({"url": self.url})

    def _triggers(
        self, name: str, settings: ModuleSettings, args: WorkerArgs, script: cloudflare.WorkersScript
    ) -> None:
        """Create the Worker's cron triggers and queue consumers."""
        after_script = _after_script(self, script, args.account.ownership.having)
        if settings.crons is not None:
            cloudflare.WorkersCronTrigger(
                f"{name}-crons",
                account_id=args.account.id,
                script_name=script.script_name,
                schedules=[cloudflare.WorkersCronTriggerScheduleArgs(cron=cron) for cron in settings.crons],
                opts=after_script,
            )
        for queue, consumer in settings.consumes.items():
            cloudflare.QueueConsumer(
                f"{name}-consumes-{queue}",
                account_id=args.account.id,
                queue_id=args.queue_id(queue),
                type="worker",
                script_name=script.script_name,
                dead_letter_queue=consumer.dead_letter_queue,
                settings=_consumer(consumer),
                opts=after_script,
            )

    def _script(
        self, name: str, args: WorkerArgs, bindings: Sequence[Binding], uploads: Uploads
    ) -> cloudflare.WorkersScript:
        adopted = _import_id(args)
        if adopted and args.assets:
            # The provider cannot import files: it reads none back, and then refuses a Worker without files.
            return cloudflare.WorkersScript.get(f"{name}-script", adopted, pulumi.ResourceOptions(parent=self))
        return cloudflare.WorkersScript(
            f"{name}-script",
            account_id=args.account.id,
            script_name=args.settings.script,
            main_module=MODULE,
            content=args.module,
            compatibility_date=args.settings.compatibility_date,
            compatibility_flags=_flags(args),  # also when empty: the provider does not notice a removal
            bindings=_arguments(bindings),
            observability=cloudflare.WorkersScriptObservabilityArgs(enabled=True, head_sampling_rate=1),
            assets=_assets(args),
            migrations=_migrations(args),
            opts=import_options(self._options(args, uploads), adopted, SCRIPT_INPUTS),
        )

    def _subdomain(
        self, name: str, args: WorkerArgs, script: cloudflare.WorkersScript
    ) -> cloudflare.WorkersScriptSubdomain:
        return cloudflare.WorkersScriptSubdomain(
            f"{name}-subdomain",
            account_id=args.account.id,
            script_name=script.script_name,
            enabled=args.settings.workers_dev,
            previews_enabled=False,
            opts=import_options(
                _after_script(self, script, args.account.ownership.having), _import_id(args), SUBDOMAIN_INPUTS
            ),
        )

    def _domain(
        self, name: str, args: WorkerArgs, script: cloudflare.WorkersScript
    ) -> cloudflare.WorkersCustomDomain | None:
        adopted = args.settings.adopted
        if args.settings.domain is None:
            return None
        id = f"{args.account.id}/{adopted.domain}" if adopted and adopted.domain else None
        return cloudflare.WorkersCustomDomain(
            f"{name}-domain",
            account_id=args.account.id,
            hostname=args.settings.domain.hostname,
            zone_id=args.settings.domain.zone_id,
            service=script.script_name,
            # Every change is a replacement. If the old domain were deleted last, the new one of that name would go too.
            opts=import_options(
                pulumi.ResourceOptions.merge(
                    _after_script(self, script, _ownership_hooks(args)),
                    pulumi.ResourceOptions(delete_before_replace=True),
                ),
                id,
                (),
            ),
        )

    def _options(self, args: WorkerArgs, uploads: Uploads) -> pulumi.ResourceOptions:
        after = pulumi.ResourceHookBinding(
            after_create=[guarded(uploads.noted())], after_update=[guarded(uploads.noted(args.after))]
        )
        hooks = pulumi.ResourceHookBinding.merge(_ownership_hooks(args), after)
        return pulumi.ResourceOptions(parent=self, depends_on=[args.account.gate], hooks=hooks)


def _ownership_hooks(args: WorkerArgs) -> pulumi.ResourceHookBinding:
    """Return the hooks that check the owner. An adopted Worker is imported, so it needs no check before a create."""
    ownership = args.account.ownership
    return ownership.having if args.settings.adopted else ownership.making


def _after_script(
    worker: Worker, script: cloudflare.WorkersScript, hooks: pulumi.ResourceHookBinding
) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(parent=worker, depends_on=[script], hooks=hooks)


def _own_bindings(args: WorkerArgs) -> list[Binding]:
    return [
        PlainText(name=RELEASE_VARIABLE, value=_fingerprint(args)),
        PlainText(name=OWNER_VARIABLE, value=str(owner())),
    ]


def _import_id(args: WorkerArgs) -> str | None:
    """Return the id for the import of an adopted script and its workers.dev switch; None if it is not adopted."""
    return f"{args.account.id}/{args.settings.script}" if args.settings.adopted else None


def _consumer(settings: ConsumerSettings) -> cloudflare.QueueConsumerSettingsArgs:
    return cloudflare.QueueConsumerSettingsArgs(
        batch_size=settings.batch_size, max_wait_time_ms=settings.max_wait_ms, max_retries=settings.retries
    )


def _fingerprint(args: WorkerArgs) -> str:
    """Return the Worker's release: the digest of its files, or of its module if it has no files."""
    return args.assets.digest if args.assets else module_digest(args.module)


def _assets(args: WorkerArgs) -> cloudflare.WorkersScriptAssetsArgs | None:
    if args.assets is None or not isinstance(args.settings, AssetsSettings):
        return None
    return cloudflare.WorkersScriptAssetsArgs(
        directory=args.assets.directory,
        config=cloudflare.WorkersScriptAssetsConfigArgs(
            not_found_handling=args.settings.not_found,
            run_worker_first=RUN_TIME_PATHS,
            headers=args.assets.sent_headers,
            redirects=args.assets.redirects,
        ),
    )


def _migrations(args: WorkerArgs) -> cloudflare.WorkersScriptMigrationsArgs | None:
    settings = args.settings
    return (
        pending(args.account.id, settings.script, settings.migrations) if isinstance(settings, ModuleSettings) else None
    )


def _flags(args: WorkerArgs) -> list[str]:
    """Return the configured flags, and for a site the flag for public fetches.

    A site forwards requests to the API, which may be a workers.dev address of the same account. Without the flag,
    Cloudflare answers such a request with error 1042 (workers-sdk#11215).
    """
    flags = args.settings.compatibility_flags
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
