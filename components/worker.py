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
"""Answered by the static Worker's module; every other path is an asset or the single page."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """The Cloudflare account, the form of a Worker's address in it, with `{script}` for its name, and what looks at
    whose a Worker is there.
    """

    id: str
    workers_url: str
    ownership: Ownership
    gate: pulumi.Resource
    """No Worker is touched before it has let the update pass."""

    def address(self, worker: WorkerSettings) -> str:
        """A Worker's public address, which is known before the Worker is there."""
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
    """Gives the id of a queue that it consumes, by name."""
    assets: AssetSet | None = None
    after: Hook | None = None
    """Called when the script has been uploaded; its failure is the update's."""


class Worker(pulumi.ComponentResource):
    """Produces `url`, the Worker's public address, once the Worker answers there.

    Sets observability and both workers.dev switches always: what is left out shows up as a change after a refresh.

    A module Worker made by hand is imported; one of files is only read, until its first release uploads it anew.
    """

    url: pulumi.Output[str]
    script: pulumi.Output[str]
    """The script's name, once it has been uploaded."""

    def __init__(self, name: str, args: WorkerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Worker", name, None, opts)
        uploads = Uploads()
        bindings = [*args.bindings, *_own_bindings(args)]
        script = self._script(name, args, bindings, uploads)
        behind = pulumi.ResourceOptions(parent=self, depends_on=[script])
        DeclaredWorker(
            f"{name}-declared", args.settings.script, bindings, uploads, script.etag, script.modified_on, behind
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
        """What calls the Worker beside requests: the clock, and queues."""
        behind = _behind(self, script, args.account.ownership.having)
        if settings.crons is not None:
            cloudflare.WorkersCronTrigger(
                f"{name}-crons",
                account_id=args.account.id,
                script_name=script.script_name,
                schedules=[cloudflare.WorkersCronTriggerScheduleArgs(cron=cron) for cron in settings.crons],
                opts=behind,
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
                opts=behind,
            )

    def _script(
        self, name: str, args: WorkerArgs, bindings: Sequence[Binding], uploads: Uploads
    ) -> cloudflare.WorkersScript:
        adopted = _id_by_name(args)
        if adopted and args.assets:
            # The provider cannot import files: it reads none back, and then refuses a Worker without any.
            return cloudflare.WorkersScript.get(f"{name}-script", adopted, pulumi.ResourceOptions(parent=self))
        return cloudflare.WorkersScript(
            f"{name}-script",
            account_id=args.account.id,
            script_name=args.settings.script,
            main_module=MODULE,
            content=args.module,
            compatibility_date=args.settings.compatibility_date,
            compatibility_flags=_flags(args),  # also when empty: a removal is not seen
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
                _behind(self, script, args.account.ownership.having), _id_by_name(args), SUBDOMAIN_INPUTS
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
            # Every change is a replacement; deleted last, the old one would take the new one of that name along.
            opts=import_options(
                pulumi.ResourceOptions.merge(
                    _behind(self, script, _owned(args)), pulumi.ResourceOptions(delete_before_replace=True)
                ),
                id,
                (),
            ),
        )

    def _options(self, args: WorkerArgs, uploads: Uploads) -> pulumi.ResourceOptions:
        after = pulumi.ResourceHookBinding(
            after_create=[guarded(uploads.noted())], after_update=[guarded(uploads.noted(args.after))]
        )
        hooks = pulumi.ResourceHookBinding.merge(_owned(args), after)
        return pulumi.ResourceOptions(parent=self, depends_on=[args.account.gate], hooks=hooks)


def _owned(args: WorkerArgs) -> pulumi.ResourceHookBinding:
    """What is adopted is imported, and never created."""
    ownership = args.account.ownership
    return ownership.having if args.settings.adopted else ownership.making


def _behind(
    worker: Worker, script: cloudflare.WorkersScript, hooks: pulumi.ResourceHookBinding
) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(parent=worker, depends_on=[script], hooks=hooks)


def _own_bindings(args: WorkerArgs) -> list[Binding]:
    return [
        PlainText(name=RELEASE_VARIABLE, value=_fingerprint(args)),
        PlainText(name=OWNER_VARIABLE, value=str(owner())),
    ]


def _id_by_name(args: WorkerArgs) -> str | None:
    """What the provider imports a script and its workers.dev switch by; None for one that is ours."""
    return f"{args.account.id}/{args.settings.script}" if args.settings.adopted else None


def _consumer(settings: ConsumerSettings) -> cloudflare.QueueConsumerSettingsArgs:
    return cloudflare.QueueConsumerSettingsArgs(
        batch_size=settings.batch_size, max_wait_time_ms=settings.max_wait_ms, max_retries=settings.retries
    )


def _fingerprint(args: WorkerArgs) -> str:
    """What the Worker calls its release: its files' fingerprint, or its module's when it has no files."""
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
    """Those that are configured. A site passes requests on to the API, which may be a workers.dev address of the same
    account: Cloudflare answers that with error 1042, unless the request comes in as anybody's does (workers-sdk#11215).
    """
    flags = args.settings.compatibility_flags
    ours = (PUBLIC_FETCH,) if args.assets and PUBLIC_FETCH not in flags else ()
    return [*flags, *ours]


def _arguments(bindings: Sequence[Binding]) -> list[cloudflare.WorkersScriptBindingArgs]:
    """Sorted by name: the provider compares bindings as an ordered list."""
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
            return _stored(binding)


def _stored(binding: Stored) -> cloudflare.WorkersScriptBindingArgs:
    """What holds the data is named under another key for each kind."""
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
