"""What a stack may set of a Worker: its script, its sources, where it answers, what it is bound to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
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
from settings.formats import Hostname, Identifier, IsoDate, VariableName, past_day
from settings.section import Section

API = "api"
"""The Worker that knows the backend's address and the program's login there. The sites send their requests to it."""
GIVEN_TO_API = ("POCKETBASE_URL", "PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD", "GITHUB_TOKEN", "BACKEND")
"""The bindings that the program itself gives to the Worker `api`."""
GIVEN_TO_ALL = ("RELEASE", "STACK")
RESERVED_NAMES = frozenset({"admin", "backend", "default", "kept", "oracle", "storage", "uptime"})
"""No Worker can have one of these names: resources of the program begin with them."""
FIRST_SERVER_ERROR = 500
StorageKind = Literal["kv", "r2", "d1", "queue"]
SCRIPT_NAME_LIMIT = 63  # Cloudflare: a Worker's name is a label of its address
ScriptName = Annotated[str, Field(pattern=rf"^[a-z0-9]([a-z0-9-]{{0,{SCRIPT_NAME_LIMIT - 2}}}[a-z0-9])?$")]


class AdoptedWorker(Section):
    """A Worker made by hand, taken over as it runs: the version that has the traffic, and its custom domain's id."""

    version: Identifier
    domain: Identifier | None = None


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
    compatibility_date: Annotated[IsoDate, AfterValidator(past_day)]
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
WorkerOfAKind = Annotated[
    Annotated[ModuleSettings, Tag("module")] | Annotated[AssetsSettings, Tag("assets")], Discriminator(_kind)
]


def in_order(workers: Mapping[str, AnyWorkerSettings]) -> Mapping[str, AnyWorkerSettings]:
    if taken := RESERVED_NAMES.intersection(workers):
        raise ValueError(f"has a Worker named {min(taken)}, which the program's own resources are called")
    if not isinstance(workers.get(API), ModuleSettings):
        raise ValueError(f"needs a Worker named {API} with an `entry`: it is the one that knows the backend")
    return {name: workers[name] for name in sorted(workers, key=lambda name: (name != API, name))}


def given_by_the_program(name: str) -> tuple[str, ...]:
    """The names of the bindings that a Worker made of a module has without its configuration."""
    return (*(GIVEN_TO_API if name == API else ()), *GIVEN_TO_ALL)


def storage_of(binding: BindingSettings) -> tuple[StorageKind, str] | None:
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


def asked(worker: AnyWorkerSettings) -> set[str]:
    """The Workers that one asks by a binding, by service name."""
    bindings = worker.bindings.values() if isinstance(worker, ModuleSettings) else ()
    services = {each.service for each in bindings if isinstance(each, ServiceBinding)}
    return services | {each.worker for each in bindings if isinstance(each, DurableObjectBinding) and each.worker}
