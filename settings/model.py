"""What a stack may set: sections with their types and limits, frozen once they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    model_validator,
)

from settings.bindings import (
    BindingSettings,
    BucketBinding,
    ConsumerSettings,
    DatabaseBinding,
    DurableObjectBinding,
    KvBinding,
    Migration,
    QueueBinding,
    ServiceBinding,
    StorageName,
)
from settings.section import Section

PROJECT = "oracle-net"
API = "api"
"""The Worker that knows the backend's address and the program's login there. The sites send their requests to it."""
SECRET_KEYS = frozenset({"adminPassword", "githubToken", "backupKey", "backendSecrets", "workerSecrets"})
HISTORY_KEYS = frozenset({"generation", "receipt", "replacement", "restart", "restoreFrom", "unlockedUntil"})
"""What one network alone has come to: no other stack, and no template, has a say in it."""
OURS = ("PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD", "RELEASE", "GENERATION", "BACKEND", "STACK")
"""The variables that the program itself gives to the backend's app."""
REPLICA_OURS = ("REPLICA_COMMAND", "REPLICA_CONFIG", "REPLICA_SCRIPT")
"""The same, where its image has Litestream."""
LITESTREAM_PREFIX = "LITESTREAM_"
"""Begins the names under which Litestream itself looks for a bucket's keys (cmd/litestream/main.go)."""
GIVEN_TO_API = ("POCKETBASE_URL", "PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD", "GITHUB_TOKEN", "BACKEND")
"""The bindings that the program itself gives to the Worker `api`."""
GIVEN_TO_ALL = ("RELEASE", "STACK")
RESERVED_NAMES = frozenset({"admin", "backend", "default", "kept", "oracle", "storage", "uptime"})
"""No Worker can have one of these names: resources of the program begin with them."""
FIRST_SERVER_ERROR = 500
StorageKind = Literal["kv", "r2", "d1", "queue"]
TEMPLATE_VALUE = re.compile(r"0{32}|sha256:0{64}|https://\{script\}\.account\.workers\.dev")
"""What stands in the committed templates where only the team knows the value."""
PLACEHOLDER = "(encrypted)"
"""Stands for an encrypted value where there is no engine to open it."""
APP_NAME_LIMIT = 32  # DigitalOcean: 2 to 32 characters
SCRIPT_NAME_LIMIT = 63  # Cloudflare: a Worker's name is a label of its address
UNLOCK_LIMIT = timedelta(days=1)
"""A moment further away unlocks nothing: an unlocking that nobody remembers would be none."""
PASSWORD_CHARACTERS, PASSWORD_BYTES = 71, 72
"""What PocketBase takes for a password at most (core/field_password.go; bcrypt)."""
CONTAINER_RULES = ("CPU_UTILIZATION", "MEM_UTILIZATION", "RESTART_COUNT")
"""Rules of alerts that App Platform keeps with a component, not with the app."""
GENERATION_SUFFIX = 10  # "-g999-r999": generation and revision, kept free at the end of the app's name

Hostname = Annotated[
    str, Field(max_length=253, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")
]
LoopbackHost = Annotated[str, Field(pattern=r"^(localhost|127(\.\d{1,3}){3}|([a-z0-9-]+\.)+localhost)(:\d{1,5})?$")]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
ServiceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,19}$")]
ScriptName = Annotated[str, Field(pattern=rf"^[a-z0-9]([a-z0-9-]{{0,{SCRIPT_NAME_LIMIT - 2}}}[a-z0-9])?$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
# A hand-written YAML date arrives as a date, one from the engine as text.
IsoDate = Annotated[str, BeforeValidator(str), Field(pattern=r"^20\d\d-[01]\d-[0-3]\d$")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Moment = Annotated[AwareDatetime, AfterValidator(lambda value: value.astimezone(UTC))]


Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _past_day(value: str) -> str:
    today = datetime.now(UTC).date()
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"is {value}, which is no day of the calendar") from None
    if day > today:
        raise ValueError(f"is {value}, and Cloudflare takes no date after today in UTC ({today})")
    return value


def _age_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not re.fullmatch(r"AGE-SECRET-KEY-1[0-9A-Z]{58}", text) and text != PLACEHOLDER:
        raise ValueError("should be a key as `oracle backups --new-key` makes it")
    return value


def _password(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if len(text) > PASSWORD_CHARACTERS or len(text.encode()) > PASSWORD_BYTES:
        raise ValueError(
            f"is too long: PocketBase takes {PASSWORD_CHARACTERS} characters and {PASSWORD_BYTES} bytes at most"
        )
    return value


class BuildSettings(Section):
    """How the backend's image is built: `context` is relative to `backend.path`, `dockerfile` to the context.

    What is in `args` is no secret: it stays in the image's history.
    """

    context: str = "."
    dockerfile: str = "Dockerfile"
    target: str | None = Field(default=None, min_length=1)
    args: Mapping[VariableName, str] = {}


class ImageSettings(Section):
    """The backend's release: a digest in a registry, a Dockerfile whose image is built and pushed there, or a directory
    that is packed and pushed to an image store.

    `host` is a registry on this machine, in place of that of `registry_type`: the local cloud takes images from there.
    """

    registry_type: Literal["DOCR", "DOCKER_HUB", "GHCR"] = "DOCR"
    host: LoopbackHost | None = None
    registry: str | None = None
    repository: str = Field(min_length=1)
    digest: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    build: BuildSettings | None = None
    path: str | None = None
    run: tuple[str, ...] = ("./entrypoint.sh",)
    store: str | None = Field(default=None, pattern=r"^https?://")

    @model_validator(mode="after")
    def _one_source(self) -> ImageSettings:
        if [self.digest, self.build, self.path].count(None) != 2:
            raise ValueError("needs one of digest, build and path")
        if self.build is not None and self.registry_type != "DOCR" and self.host is None and self.registry is None:
            raise ValueError(f"is pushed to {self.registry_type} and needs the registry: whose namespace it is there")
        if self.path is not None and self.store is None:
            raise ValueError("has a path and needs the store it is pushed to")
        return self

    @property
    def is_packed(self) -> bool:
        """Whether its bytes are a directory's, and kept with the releases; else a registry keeps them."""
        return self.path is not None

    @property
    def declared_registry(self) -> str | None:
        """As an app's spec names it. DigitalOcean's own is the account's, and has to be left out."""
        if self.host is not None:
            return "/".join(part for part in (self.host, self.registry) if part)
        return None if self.registry_type == "DOCR" else self.registry


class AdoptedApp(Section):
    """An app made by hand, taken over as it runs: its id, and that of the deployment that serves."""

    app: Identifier
    deployment: Identifier


class AdoptedWorker(Section):
    """A Worker made by hand, taken over as it runs: the version that has the traffic, and its custom domain's id."""

    version: Identifier
    domain: Identifier | None = None


class ReplicaSettings(Section):
    """Litestream in the backend's image, which copies the database to a bucket while it runs."""

    config: str = Field(pattern=r"^[A-Za-z0-9._/-]+$")
    """Its configuration file in the image: absolute, or seen from the image's working directory."""
    command: str = Field(default="./entrypoint.sh", min_length=1)
    """What the image runs: one program and its arguments."""


class AlertSettings(Section):
    """An alert of the app: DigitalOcean mails the team when its rule is met.

    Rules of the app (deployments, domains) have no threshold. Rules of its container have one: `operator`, `value` and
    `window`. DigitalOcean keeps each kind at its own place in the spec (godo's AppAlertSpecRule).
    """

    rule: Literal[
        "DEPLOYMENT_FAILED",
        "DEPLOYMENT_LIVE",
        "DEPLOYMENT_STARTED",
        "DEPLOYMENT_CANCELED",
        "DOMAIN_FAILED",
        "DOMAIN_LIVE",
        "AUTOSCALE_FAILED",
        "AUTOSCALE_SUCCEEDED",
        "CPU_UTILIZATION",
        "MEM_UTILIZATION",
        "RESTART_COUNT",
    ]
    operator: Literal["GREATER_THAN", "LESS_THAN"] | None = None
    value: float | None = Field(default=None, gt=0)  # 0 is left out on its way, and then differs from what comes back
    window: Literal["FIVE_MINUTES", "TEN_MINUTES", "THIRTY_MINUTES", "ONE_HOUR"] | None = None
    disabled: bool = False

    @property
    def of_container(self) -> bool:
        """Whether it belongs to the service, and not to the app."""
        return self.rule in CONTAINER_RULES

    @model_validator(mode="after")
    def _threshold(self) -> AlertSettings:
        given = [each is not None for each in (self.operator, self.value, self.window)]
        if self.of_container and not all(given):
            raise ValueError(f"has the rule {self.rule}, which needs operator, value and window")
        if not self.of_container and any(given):
            raise ValueError(f"has the rule {self.rule}, which takes no operator, value or window")
        return self


class BackendSettings(Section):
    """The App Platform app that runs PocketBase."""

    app_name: str = Field(pattern=rf"^[a-z][a-z0-9-]{{0,{APP_NAME_LIMIT - GENERATION_SUFFIX - 2}}}[a-z0-9]$")
    service: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}[a-z0-9]$")
    image: ImageSettings
    path: str | None = None
    build: str | None = None
    region: str = Field(default="sgp", min_length=3)
    size: str = "basic-xxs"
    instances: int = Field(default=1, ge=1, le=1)  # SQLite on an ephemeral disk: two containers would be two databases
    port: int = Field(default=8090, ge=1, le=65535)
    health_path: str = Field(default="/api/health", pattern=r"^/")
    console: str = Field(default="./oracle-universe superuser upsert", min_length=1)
    env: Mapping[VariableName, str] = {}
    replica: ReplicaSettings | None = None
    alerts: tuple[AlertSettings, ...] = ()
    create_timeout: str = Field(default="30m", pattern=r"^\d+[smh]$")
    adopted: AdoptedApp | None = None
    """Until its first release from here, which takes this key away, it is left as it was made by hand."""

    @model_validator(mode="after")
    def _buildable(self) -> BackendSettings:
        if self.image.build is not None and self.path is None:
            raise ValueError("has an image.build and needs the path of the checkout that it is built from")
        return self


class DomainSettings(Section):
    hostname: Hostname
    zone_id: str = Field(pattern=r"^[0-9a-f]{32}$")


class HealthSettings(Section):
    """What a service is asked, and the status with which it says that it is well.

    The default suits any program: whatever it answers at its front page, unless it is an error of the server.
    """

    path: str = Field(default="/", pattern=r"^/")
    status: int | None = Field(default=None, ge=100, le=599)

    def accepts(self, status: int | None) -> bool:
        """Whether a service that answers so is well; None is no answer."""
        if status is None or self.status is None:
            return status is not None and status < FIRST_SERVER_ERROR
        return status == self.status


class WorkerSettings(Section):
    """What every Worker has: its script's name, its sources, where it answers, and how it shows that it is well."""

    script: ScriptName
    path: str
    build: str | None = None
    compatibility_date: Annotated[IsoDate, AfterValidator(_past_day)]
    compatibility_flags: tuple[str, ...] = ()
    workers_dev: bool = True
    domain: DomainSettings | None = None
    health: HealthSettings = HealthSettings()
    adopted: AdoptedWorker | None = None
    """Until its first release from here, which takes this key away, it is left as it was made by hand."""

    @model_validator(mode="after")
    def _reachable(self) -> WorkerSettings:
        if not self.workers_dev and self.domain is None:
            raise ValueError("has neither workersDev nor a domain, so nobody could reach it")
        if self.adopted and (self.adopted.domain is None) is not (self.domain is None):
            raise ValueError("has a domain, or was adopted with one, and not both; adopt it again: oracle adopt STACK")
        return self


class ModuleSettings(WorkerSettings):
    """A Worker made of one bundled module: `entry`, below `path`."""

    entry: str = Field(min_length=1)
    bindings: Mapping[VariableName, BindingSettings] = {}
    crons: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    """Cron expressions in UTC, at which the Worker's `scheduled` handler is called. Without the key they are left as
    they are, as the provider leaves them when its resource is deleted; an empty list takes them away.
    """
    consumes: Mapping[StorageName, ConsumerSettings] = {}
    """The queues whose messages the Worker's `queue` handler gets, by name."""
    migrations: tuple[Migration, ...] = ()
    """Of its Durable Objects' classes, the oldest first, as wrangler has them."""


class AssetsSettings(WorkerSettings):
    """A Worker that serves the static files of `assets`, a directory below `path`."""

    assets: str = Field(min_length=1)
    health: HealthSettings = HealthSettings(status=200)
    not_found: Literal["single-page-application", "404-page", "none"] = "single-page-application"


def _kind(worker: Any) -> str:
    """Which of the two kinds of Worker a mapping describes, or an instance is."""
    if isinstance(worker, WorkerSettings):
        return "assets" if isinstance(worker, AssetsSettings) else "module"
    return "assets" if isinstance(worker, Mapping) and "assets" in worker else "module"


AnyWorkerSettings = ModuleSettings | AssetsSettings
KINDS = ("module", "assets")
_WorkerOfAKind = Annotated[
    Annotated[ModuleSettings, Tag("module")] | Annotated[AssetsSettings, Tag("assets")], Discriminator(_kind)
]


class MonitoringSettings(Section):
    emails: tuple[Email, ...] = Field(min_length=1)
    regions: tuple[Literal["us_east", "us_west", "eu_west", "se_asia"], ...] = ("us_east", "eu_west", "se_asia")
    latency_ms: int = Field(default=2000, ge=50)


class BackupSettings(Section):
    """Where backups and the ledger are kept, and for how long. Credentials of a bucket come from the environment."""

    store: str = Field(default="folder:.oracle/backups", pattern=r"^(folder:.+|s3://[a-z0-9][a-z0-9.-]+(/.*)?)$")
    endpoint: str | None = Field(default=None, pattern=r"^https?://")
    region: str | None = None
    keep_count: int | None = Field(default=30, ge=1)
    keep_days: int | None = Field(default=None, ge=1)


class ReceiptSettings(Section):
    """Which bytes the stack deploys, and no others; `oracle promote` writes it."""

    backend: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    workers: Mapping[ServiceName, Fingerprint]
    assets: Mapping[ServiceName, Fingerprint]
    commits: Mapping[str, str] = {}


def _in_order(workers: Mapping[str, AnyWorkerSettings]) -> Mapping[str, AnyWorkerSettings]:
    if taken := RESERVED_NAMES.intersection(workers):
        raise ValueError(f"has a Worker named {min(taken)}, which the program's own resources are called")
    if not isinstance(workers.get(API), ModuleSettings):
        raise ValueError(f"needs a Worker named {API} with an `entry`: it is the one that knows the backend")
    return {name: workers[name] for name in sorted(workers, key=lambda name: (name != API, name))}


class Settings(Section):
    """One stack's whole configuration."""

    generation: int = Field(default=1, ge=1, le=999)
    replacement: int = Field(default=1, ge=1, le=999)
    restart: int = Field(default=0, ge=0)
    restore_from: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]+$")
    data: Literal["carry", "ephemeral"] = "carry"
    drain_seconds: float = Field(default=5, ge=0, le=600)
    write_freeze_seconds: int = Field(default=900, ge=60, le=7200)
    backup: BackupSettings = BackupSettings()
    backup_key: Annotated[SecretStr, AfterValidator(_age_key)] | None = None
    protect: bool = False
    unlocked_until: Moment | None = None
    admin_email: Email
    admin_password: Annotated[SecretStr, AfterValidator(_password)] | None = Field(default=None, min_length=10)
    admin_password_version: int = Field(default=1, ge=1)
    github_token: SecretStr | None = Field(default=None, min_length=1)
    account_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    workers_url: str = Field(pattern=r"^https?://\{script\}\.[a-z0-9.-]+(:\d+)?$")
    backend: BackendSettings
    backend_secrets: Mapping[VariableName, SecretStr] = {}
    workers: Annotated[Mapping[ServiceName, _WorkerOfAKind], AfterValidator(_in_order)]
    """The Workers by service name, in the order in which they are shown: `api`, then the others by name."""
    worker_secrets: Mapping[ServiceName, Mapping[VariableName, SecretStr]] = {}
    """Each Worker's own secret bindings, by service and by the binding's name."""
    keep_storage: bool = True
    """Whether what holds the Workers' data stays in the account when nothing declares it any more."""
    monitoring: MonitoringSettings | None = None
    receipt: ReceiptSettings | None = None
    keep_releases: int = Field(default=10, ge=2, le=1000)

    @model_validator(mode="after")
    def _distinct(self) -> Settings:
        scripts = [worker.script for worker in self.workers.values()]
        if len(set(scripts)) < len(scripts):
            raise ValueError("two Workers have the same script name, so one would overwrite the other")
        return self

    @model_validator(mode="after")
    def _bound(self) -> Settings:
        for problem in _binding_problems(self):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _variables(self) -> Settings:
        ours = (*OURS, *(REPLICA_OURS if self.backend.replica else ()))
        for name in (*ours, *self.backend.env):
            if name in self.backend_secrets or (name in ours and name in self.backend.env):
                raise ValueError(f"{name} is a variable of the backend twice; only one of its values would reach it")
        return self

    @model_validator(mode="after")
    def _told_replica(self) -> Settings:
        names = [name for name in (*self.backend.env, *self.backend_secrets) if name.startswith(LITESTREAM_PREFIX)]
        if names and self.backend.replica is None and self.backend.adopted is None:
            raise ValueError(
                f"the backend gets {names[0]}, so its image has Litestream, and two of its apps would copy their "
                "databases to one place; tell where the image has its configuration (pulumi config set --path "
                "oracle-net:backend.replica.config /etc/litestream.yml)"
            )
        return self

    @model_validator(mode="after")
    def _alerts(self) -> Settings:
        rules = [alert.rule for alert in self.backend.alerts]
        if twice := [rule for rule in rules if rules.count(rule) > 1]:
            raise ValueError(f"the backend has two alerts with the rule {twice[0]}; DigitalOcean knows one of each")
        return self

    @model_validator(mode="after")
    def _one_thing_at_a_time(self) -> Settings:
        other = (self.generation, self.replacement, self.restart, self.restore_from) != (1, 1, 0, None)
        if self.backend.adopted and other:
            raise ValueError(
                "generation, replacement, restart and restoreFrom are for a backend that was released from here, and "
                "this one is still as it was adopted; release it first: oracle deploy backend"
            )
        if self.receipt and self.adopted:
            raise ValueError(
                f"a receipt names the bytes of every service, and {', '.join(self.adopted)} still run as they were "
                "made by hand; release them first: oracle deploy"
            )
        if self.receipt and {*self.receipt.workers} != {*self.workers}:
            differing = sorted({*self.receipt.workers} ^ {*self.workers})
            raise ValueError(
                f"oracle-net:receipt.workers and oracle-net:workers name different Workers ({', '.join(differing)}): "
                "give both stacks the same ones, then: oracle promote FROM TO; or deploy without a receipt: pulumi "
                "config rm oracle-net:receipt"
            )
        return self

    @property
    def adopted(self) -> tuple[str, ...]:
        """The services that still run as they were made by hand."""
        found = {"backend": self.backend.adopted, **{name: each.adopted for name, each in self.workers.items()}}
        return tuple(name for name, adopted in found.items() if adopted)

    @property
    def locked(self) -> bool:
        """Whether nothing that serves may be deleted now. Only this machine's clock says when an unlocking ends."""
        now = datetime.now(UTC)
        unlocked = self.unlocked_until is not None and now < self.unlocked_until <= now + UNLOCK_LIMIT
        return self.protect and not unlocked

    @property
    def secret_variables(self) -> dict[str, str]:
        """The backend's own secret variables in plain text; give them to `pulumi.Output.secret` only."""
        return {name: value.get_secret_value() for name, value in self.backend_secrets.items()}

    @property
    def left_as_in_the_template(self) -> tuple[str, ...]:
        """The keys whose values only the team knows, and which still have those of the committed template."""
        domains = {f"workers.{name}.domain": each.domain for name, each in self.workers.items()}
        zones = {f"{key}.zoneId": domain.zone_id for key, domain in domains.items() if domain}
        values = {"accountId": self.account_id, **zones, "workersUrl": self.workers_url}
        if self.backend.adopted is None:
            values["backend.image.digest"] = self.backend.image.digest or ""
        return tuple(key for key, value in values.items() if TEMPLATE_VALUE.fullmatch(value))

    @property
    def health(self) -> dict[str, HealthSettings]:
        """How each service shows that it is well, by name. PocketBase's own route answers 200."""
        backend = HealthSettings(path=self.backend.health_path, status=200)
        return {"backend": backend, **{name: worker.health for name, worker in self.workers.items()}}

    @property
    def services(self) -> tuple[str, ...]:
        """The backend and every Worker, in the order in which they are shown."""
        return ("backend", *self.workers)

    @property
    def api(self) -> ModuleSettings:
        api = self.workers[API]
        assert isinstance(api, ModuleSettings)
        return api

    @property
    def modules(self) -> dict[str, ModuleSettings]:
        """The Workers that are made of a module, by service name."""
        return {name: worker for name, worker in self.workers.items() if isinstance(worker, ModuleSettings)}

    @property
    def storage(self) -> tuple[tuple[StorageKind, str], ...]:
        """What holds the Workers' data outside of them, each once: its kind and its name."""
        found: list[tuple[StorageKind, str]] = []
        for worker in self.modules.values():
            found += [stored for binding in worker.bindings.values() if (stored := _stored(binding))]
            queues = [*worker.consumes, *(each.dead_letter_queue for each in worker.consumes.values())]
            found += [("queue", name) for name in queues if name]
        return tuple(sorted(set(found)))

    @property
    def sites(self) -> dict[str, AssetsSettings]:
        """The Workers that serve static files, by service name."""
        return {name: worker for name, worker in self.workers.items() if isinstance(worker, AssetsSettings)}

    @property
    def asked(self) -> dict[str, list[str]]:
        """The Workers that each one asks by a binding, by service name."""
        return {name: sorted(_asked(worker)) for name, worker in self.workers.items()}

    def made_in_order(self) -> tuple[str, ...]:
        """The Workers, each behind those that it asks by a binding. Raises graphlib.CycleError."""
        return tuple(TopologicalSorter(self.asked).static_order())

    def secrets_of(self, worker: str) -> dict[str, str]:
        """A Worker's own secrets in plain text; give them to `pulumi.Output.secret` only."""
        return {name: value.get_secret_value() for name, value in self.worker_secrets.get(worker, {}).items()}


def given_by_the_program(name: str) -> tuple[str, ...]:
    """The names of the bindings that a Worker made of a module has without its configuration."""
    return (*(GIVEN_TO_API if name == API else ()), *GIVEN_TO_ALL)


def _stored(binding: BindingSettings) -> tuple[StorageKind, str] | None:
    match binding:
        case KvBinding():
            return ("kv", binding.kv)
        case BucketBinding():
            return ("r2", binding.r2)
        case DatabaseBinding():
            return ("d1", binding.d1)
        case QueueBinding():
            return ("queue", binding.queue)
    return None


def _binding_problems(settings: Settings) -> Iterator[str]:
    """What is wrong with the Workers' bindings as a whole, as the ends of sentences."""
    for name in settings.worker_secrets:
        if name not in settings.modules:
            yield f"workerSecrets has secrets for {name}, which is no Worker made of a module"
    for name, worker in settings.modules.items():
        secrets = settings.worker_secrets.get(name, {})
        twice = {*worker.bindings, *secrets} & {*given_by_the_program(name)} or {*worker.bindings} & {*secrets}
        if twice:
            yield f"{min(twice)} is a binding of {name} twice; only one of its values would reach it"
        for other in sorted(_asked(worker)):
            if other == name or other not in settings.workers:
                yield f"{name} is bound to {other}, which is {'itself' if other == name else 'no Worker of this stack'}"
    try:
        settings.made_in_order()
    except CycleError as error:
        yield f"Workers are bound to each other in a circle ({' > '.join(error.args[1])}), so none could be the first"


def _asked(worker: AnyWorkerSettings) -> set[str]:
    """The Workers that one asks by a binding, by service name."""
    bindings = worker.bindings.values() if isinstance(worker, ModuleSettings) else ()
    services = {each.service for each in bindings if isinstance(each, ServiceBinding)}
    return services | {each.worker for each in bindings if isinstance(each, DurableObjectBinding) and each.worker}
