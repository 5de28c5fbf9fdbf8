"""Settings of a Worker: its script, sources, addresses and bindings."""

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

from errors import STACK, Fix, SetKey
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
from settings.section import EDIT, PROJECT, InvalidSetting, Section

API = "api"
"""The Worker that knows the backend's address and the admin's login. The sites send their requests to it."""
GIVEN_TO_API = ("POCKETBASE_URL", "PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD", "GITHUB_TOKEN", "BACKEND")
"""Bindings that the program sets for the Worker `api`."""
GIVEN_TO_ALL = ("RELEASE", "STACK")
RESERVED_NAMES = frozenset({"admin", "backend", "default", "oracle", "release", "storage", "uptime"})
"""Names that no Worker can have: the names of the program's resources start with them."""
RENAME = Fix(first=f"rename it in Pulumi.{STACK}.yaml")
FIRST_SERVER_ERROR = 500
StorageKind = Literal["kv", "r2", "d1", "queue"]
SCRIPT_NAME_LIMIT = 63  # Cloudflare: a Worker's name is a label of its address
ScriptName = Annotated[str, Field(pattern=rf"^[a-z0-9]([a-z0-9-]{{0,{SCRIPT_NAME_LIMIT - 2}}}[a-z0-9])?$")]


class AdoptedWorker(Section):
    """An adopted Worker: the version with the traffic, and its custom domain's id."""

    version: Identifier
    domain: Identifier | None = None


class DomainSettings(Section):
    hostname: Hostname
    zone_id: str = Field(pattern=r"^[0-9a-f]{32}$")


class HealthSettings(Section):
    """A service's health check: the path, and the expected status.

    The default suits any service: the path is `/`, and every answer but a server error counts as healthy.
    """

    path: str = Field(default="/", pattern=r"^/")
    status: int | None = Field(default=None, ge=100, le=599)

    def accepts(self, status: int | None) -> bool:
        """Return whether a service with this status is healthy. None means no answer."""
        if status is None or self.status is None:
            return status is not None and status < FIRST_SERVER_ERROR
        return status == self.status


class WorkerSettings(Section):
    """The settings of every Worker: script name, sources, addresses and health check."""

    script: ScriptName
    path: str
    build: str | None = None
    compatibility_date: Annotated[IsoDate, AfterValidator(past_day)]
    compatibility_flags: tuple[str, ...] = ()
    workers_dev: bool = True
    domain: DomainSettings | None = None
    health: HealthSettings = HealthSettings()
    adopted: AdoptedWorker | None = None
    """Set until the Worker's first release, which removes this key. Until then the Worker is not changed."""

    @model_validator(mode="after")
    def _reachable(self) -> WorkerSettings:
        if not self.workers_dev and self.domain is None:
            raise InvalidSetting("has neither workersDev nor a domain, so nobody could reach it", EDIT)
        if self.adopted and (self.adopted.domain is None) is not (self.domain is None):
            raise InvalidSetting(
                "has a domain, or was adopted with one, but not both", Fix(f"oracle adopt {STACK}", "to adopt it again")
            )
        return self


class ModuleSettings(WorkerSettings):
    """A Worker of one bundled module: `entry`, relative to `path`."""

    entry: str = Field(min_length=1)
    bindings: Mapping[VariableName, BindingSettings] = {}
    crons: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    """Cron expressions in UTC for the Worker's `scheduled` handler. Without the key, existing triggers are not changed,
    because the provider leaves them when its resource is deleted. An empty list removes them.
    """
    consumes: Mapping[StorageName, ConsumerSettings] = {}
    """The queues whose messages the Worker's `queue` handler gets, by name."""
    migrations: tuple[Migration, ...] = ()
    """Migrations of its Durable Objects' classes, the oldest first, as in wrangler."""


class AssetsSettings(WorkerSettings):
    """A Worker that serves the static files of `assets`, a directory relative to `path`."""

    assets: str = Field(min_length=1)
    health: HealthSettings = HealthSettings(status=200)
    not_found: Literal["single-page-application", "404-page", "none"] = "single-page-application"


def _kind(worker: Any) -> str:
    """Return the kind of a Worker, from a mapping or an instance."""
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
        raise InvalidSetting(f"has a Worker named {min(taken)}, as the program's own resources are named", RENAME)
    if not isinstance(workers.get(API), ModuleSettings):
        raise InvalidSetting(
            f"needs a Worker named {API} with an `entry`, because that one gets the backend's address",
            SetKey(f"{PROJECT}:workers.{API}.entry", "FILE"),
        )
    return {name: workers[name] for name in sorted(workers, key=lambda name: (name != API, name))}


def given_by_the_program(name: str) -> tuple[str, ...]:
    """Return the names of the bindings that the program sets for a Worker of a module."""
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


def bound_workers(worker: ModuleSettings) -> dict[str, tuple[str, str]]:
    """Return by binding the key with another Worker's name, and that name."""
    found: dict[str, tuple[str, str]] = {}
    for name, binding in worker.bindings.items():
        if isinstance(binding, ServiceBinding):
            found[name] = ("service", binding.service)
        elif isinstance(binding, DurableObjectBinding) and binding.worker:
            found[name] = ("worker", binding.worker)
    return found


def asked(worker: AnyWorkerSettings) -> set[str]:
    """Return the Workers that a Worker is bound to, by service name."""
    return {other for _, other in bound_workers(worker).values()} if isinstance(worker, ModuleSettings) else set()
