"""Read the resources that exist in the clouds under the names of a stack. Read-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.engine.pulumi import Engine
from clients.app_platform import AppPlatform
from clients.workers_api import Workers, WorkersApiError
from clients.workers_api.client import NO_SCRIPT
from settings import Settings


@dataclass(frozen=True, kw_only=True)
class LiveWorker:
    """A running Worker. Its secrets have no text, since the API does not return it."""

    script: str
    shares: Mapping[str, float]
    """Percent of the traffic by version."""
    bindings: Mapping[str, Mapping[str, Any]]
    """The bindings of the version with the most traffic, by name."""
    date: str
    flags: tuple[str, ...]
    workers_dev: bool
    previews: bool

    @property
    def version(self) -> str:
        return max(self.shares, key=lambda each: self.shares[each])


@dataclass(frozen=True, kw_only=True)
class Domain:
    id: str
    hostname: str
    zone_id: str
    script: str


@dataclass(frozen=True, kw_only=True)
class LiveResources:
    """The app (None if it does not exist), the Workers by service, and the account's custom domains."""

    app: Mapping[str, Any] | None
    apps: tuple[str, ...]
    """The names of the account's apps."""
    workers: Mapping[str, LiveWorker | None]
    domains: tuple[Domain, ...]

    @property
    def url(self) -> str | None:
        """The app's address, without a slash at its end."""
        address = (self.app or {}).get("live_url") or (self.app or {}).get("default_ingress")
        return str(address).rstrip("/") if address else None

    @property
    def hostnames(self) -> tuple[str, ...]:
        """The app's hostnames: its addresses, and its own domains."""
        app = self.app or {}
        addresses = [app.get("live_url"), app.get("default_ingress"), app.get("live_domain")]
        domains = [each.get("domain") for each in (app.get("spec") or {}).get("domains") or []]
        return tuple(str(each) for each in [*addresses, *domains] if each)

    def domain(self, hostname: str) -> Domain | None:
        return next((each for each in self.domains if each.hostname == hostname), None)


def discover(engine: Engine, settings: Settings) -> LiveResources:
    """Read the resources from both clouds. Raises UserError when one of them does not answer."""
    app, apps = _apps(engine, settings)
    with _workers(engine, settings) as cloudflare:
        scripts = {name: _worker(cloudflare, settings, worker.script) for name, worker in settings.workers.items()}
        domains = cloudflare.domains()
    return LiveResources(app=app, apps=apps, workers=scripts, domains=tuple(_domain(each) for each in domains))


def _apps(engine: Engine, settings: Settings) -> tuple[Mapping[str, Any] | None, tuple[str, ...]]:
    token = engine.environment.get("DIGITALOCEAN_TOKEN") or engine.environment.get("DIGITALOCEAN_ACCESS_TOKEN")
    with AppPlatform(engine.stack.digitalocean, token) as platform:
        return platform.find(settings.backend.app_name), tuple(platform.names())


def _workers(engine: Engine, settings: Settings) -> Workers:
    return Workers(engine.stack.cloudflare, settings.account_id, engine.environment.get("CLOUDFLARE_API_TOKEN"))


def _worker(cloudflare: Workers, settings: Settings, script: str) -> LiveWorker | None:
    path = f"/accounts/{settings.account_id}/workers/scripts/{script}"
    try:
        deployments = cloudflare.request("GET", f"{path}/deployments").get("deployments") or []
    except WorkersApiError as error:
        if error.codes & NO_SCRIPT:
            return None
        raise
    shares = {each["version_id"]: float(each["percentage"]) for each in (deployments or [{}])[0].get("versions") or []}
    if not shares:
        return None
    version = max(shares, key=lambda each: shares[each])
    resources = cloudflare.request("GET", f"{path}/versions/{version}").get("resources") or {}
    runtime, switches = resources.get("script_runtime") or {}, cloudflare.request("GET", f"{path}/subdomain")
    return LiveWorker(
        script=script,
        shares=shares,
        bindings={each["name"]: each for each in resources.get("bindings") or []},
        date=str(runtime.get("compatibility_date") or ""),
        flags=tuple(runtime.get("compatibility_flags") or ()),
        workers_dev=bool(switches.get("enabled")),
        previews=bool(switches.get("previews_enabled")),
    )


def _domain(answer: Mapping[str, Any]) -> Domain:
    return Domain(
        id=answer["id"], hostname=answer["hostname"], zone_id=answer.get("zone_id") or "", script=answer["service"]
    )
