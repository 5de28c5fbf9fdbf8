"""The inputs of everything that handles the backend's data, and the app that has the traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clients.app_platform import Deployment, variable
from lifecycle.backup_config import BackupConfig
from lifecycle.bootstrap import Expected, Logins
from lifecycle.clouds import Clouds
from lifecycle.naming import BACKEND_VARIABLE, GENERATION_VARIABLE, RELEASE_VARIABLE, owner, worker_url
from lifecycle.ownership import refuse_other
from stack_outputs import owner_of_app, owner_of_worker

if TYPE_CHECKING:
    from settings import Settings

MADE_BY_HAND = 1


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The api Worker, whose plain binding BACKEND names the app that gets the traffic."""

    endpoint: str
    """Cloudflare's API with its whole prefix."""
    account: str
    script: str
    url: str
    owner: str
    """The stack. A Worker of another owner does not count."""
    health: str = "/"
    """The path of the Worker's health check."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """An app whose data is read. `generation` and `release` come from its running deployment. An app without a
    generation was made by hand, and is of the first generation.
    """

    app_id: str
    name: str
    generation: int
    release: str | None
    running: bool
    owner: str | None = None
    """None if the app has no owner."""

    @classmethod
    def of(cls, app: Mapping[str, Any], service: str) -> Source:
        active = Deployment.of(app.get("active_deployment"))
        spec = active.spec if active else app["spec"]
        generation = variable(spec, service, GENERATION_VARIABLE)
        return cls(
            app_id=app["id"],
            name=app["spec"]["name"],
            generation=int(generation) if generation and generation.isdigit() else MADE_BY_HAND,
            release=variable(spec, service, RELEASE_VARIABLE),
            running=active is not None,
            owner=owner_of_app(app["spec"]),
        )


@dataclass(frozen=True, kw_only=True)
class MigrationPolicy:
    """Times of a migration, in seconds."""

    drain: float
    """Time for running requests to end."""
    freeze: float
    """The longest time in which the old backend refuses writes, unless the traffic moves."""


@dataclass(frozen=True, kw_only=True)
class BackendContext:
    """The inputs of everything that handles the backend's data."""

    expected: Expected
    traffic: Traffic
    policy: MigrationPolicy
    backup_config: BackupConfig
    generation: int
    restore_from: str | None
    restart: int
    ephemeral: bool
    locked: bool
    """True if the stack refuses to delete its backend. A successor may still replace it."""
    clouds: Clouds = field(default_factory=Clouds)

    @classmethod
    def of(cls, settings: Settings, digest: str, logins: Logins) -> BackendContext:
        from settings import cloudflare_endpoint, revealed

        api = settings.api
        url = worker_url(settings.workers_url, api)
        return cls(
            expected=Expected.of(settings, digest, logins),
            traffic=Traffic(
                endpoint=cloudflare_endpoint(),
                account=settings.account_id,
                script=api.script,
                url=url,
                owner=str(owner()),
                health=api.health.path,
            ),
            policy=MigrationPolicy(drain=settings.drain_seconds, freeze=settings.write_freeze_seconds),
            backup_config=BackupConfig.of_settings(settings, revealed(settings.backup_key)),
            generation=settings.generation,
            restore_from=settings.restore_from,
            restart=settings.restart,
            ephemeral=settings.data == "ephemeral",
            locked=settings.locked,
        )


def app_with_traffic(clouds: Clouds, traffic: Traffic) -> str | None:
    """Return the name of the app that the api Worker sends its requests to; None if there is no api Worker or it is
    older than this program. Raises UserError for a Worker of another owner.
    """
    with clouds.workers(traffic.endpoint, traffic.account) as workers:
        bindings = workers.bindings(traffic.script) or {}
    refuse_other(f"The Worker {traffic.script}", owner_of_worker(bindings), traffic.owner)
    backend = bindings.get(BACKEND_VARIABLE) or {}
    return str(backend["text"]) if backend.get("text") else None


def find_app_with_traffic(clouds: Clouds, endpoint: str, traffic: Traffic) -> dict[str, Any] | None:
    """Return the app that the api Worker sends its requests to; None as in `app_with_traffic`, and if the app is gone.
    Raises UserError.
    """
    name = app_with_traffic(clouds, traffic)
    with clouds.app_platform(endpoint, timeout=10) as platform:
        return platform.find(name) if name else None
