"""Read the facts of the app and the Workers from the clouds' APIs, or the reason why an API returned none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from clients.app_platform import AppPlatform, AppPlatformError, variable
from clients.workers_api import Workers, WorkersApiError
from clients.workers_api.client import BAD_TOKEN

Why = Literal["no token", "token", "failing", "unreachable", "refused", "late", "unknown"]
T = TypeVar("T")
PATIENCE = 1.0
"""Seconds in which a request is repeated after an error that looks transient."""
CHAIN = 10
"""The most versions to search for the last upload."""
NO_SCRIPT = frozenset({10007, 10090})
SECRET_CHANGE = "secret"
"""`workers/triggered_by` of a version that the secrets endpoint created."""


@dataclass(frozen=True, kw_only=True)
class CloudTrouble:
    """The reason why an API returned no facts."""

    why: Why
    text: str


@dataclass(frozen=True, kw_only=True)
class AppFacts:
    """The app from DigitalOcean, None if it is deleted; its deployments, newest first; its price in dollars a month."""

    app: Mapping[str, Any] | None = None
    deployments: tuple[Mapping[str, Any], ...] = ()
    cost: float | None = None

    @property
    def active(self) -> Mapping[str, Any] | None:
        return (self.app or {}).get("active_deployment")

    def release(self, service: str) -> str | None:
        """Return the release that the service's active deployment reports."""
        return variable(dict(self.active["spec"]), service, "RELEASE") if self.active else None


@dataclass(frozen=True, kw_only=True)
class Version:
    """A Worker's version, as the API lists it."""

    id: str
    number: int
    created: str
    source: str
    author: str
    trigger: str

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Version:
        metadata = answer.get("metadata") or {}
        return cls(
            id=answer["id"],
            number=int(answer.get("number") or 0),
            created=metadata.get("created_on") or "",
            source=metadata.get("source") or "",
            author=metadata.get("author_email") or "",
            trigger=(answer.get("annotations") or {}).get("workers/triggered_by") or "",
        )


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A deployment: its percentages of the traffic by version, its author and time."""

    created: str
    source: str
    author: str
    shares: Mapping[str, float]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Deployed:
        return cls(
            created=answer.get("created_on") or "",
            source=answer.get("source") or "",
            author=answer.get("author_email") or "",
            shares={each["version_id"]: float(each["percentage"]) for each in answer.get("versions") or []},
        )


@dataclass(frozen=True, kw_only=True)
class WorkerFacts:
    """A Worker from Cloudflare. `gone` is True if the script does not exist."""

    gone: bool = False
    deployments: tuple[Deployed, ...] = ()
    """The current deployment first."""
    versions: tuple[Version, ...] = ()
    """The newest version first."""
    bindings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Bindings of the version with the most traffic, by name; secrets without their text."""
    etag: str = ""
    secrets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Names of secrets by version, for the active version and the earlier ones back to an upload."""
    enabled: bool | None = None
    """True if its workers.dev address is on."""
    lost_release: str | None = None
    """The release that `passed_over` reports."""

    @property
    def release(self) -> str | None:
        """The release that the version with the most traffic reports."""
        return (self.bindings.get("RELEASE") or {}).get("text")

    @property
    def active(self) -> Version | None:
        """The version with the most traffic."""
        shares = self.deployments[0].shares if self.deployments else {}
        id = max(shares, key=lambda each: shares[each], default=None)
        return next((each for each in self.versions if each.id == id), None)

    @property
    def passed_over(self) -> Version | None:
        """The newest uploaded version that had the traffic and lost it to an older one, or None.

        Versions of the secrets endpoint do not count: going back from one is how a changed secret is repaired.
        """
        served = {id for deployment in self.deployments for id in deployment.shares}
        newer = [each for each in self.versions if self.active and each.number > self.active.number]
        newer = [each for each in newer if each.id in served and each.trigger != SECRET_CHANGE]
        return max(newer, key=lambda each: each.number, default=None)


def fetch_app(endpoint: str, token: str | None, app_id: str, seconds: float) -> AppFacts | CloudTrouble:
    """Return the app, its deployments and its price."""
    if not token:
        return CloudTrouble(why="no token", text="DIGITALOCEAN_TOKEN is not set")
    try:
        with AppPlatform(endpoint, token, timeout=seconds) as platform:
            app = platform.known(app_id)
            if app is None:
                return AppFacts()
            listed = platform.request("GET", f"/v2/apps/{app_id}/deployments").get("deployments") or []
            return AppFacts(app=app, deployments=tuple(listed), cost=_cost(platform, app))
    except AppPlatformError as error:
        return CloudTrouble(why=_why(error.status), text=str(error).rstrip("."))


def _cost(platform: AppPlatform, app: Mapping[str, Any]) -> float | None:
    """Return dollars a month from App Platform's proposal for the running spec. None if the proposal is refused."""
    with suppress(AppPlatformError, TypeError, ValueError):
        proposal = {"spec": app["spec"], "app_id": app["id"]}
        cost = platform.request("POST", "/v2/apps/propose", proposal).get("app_cost")
        return float(cost) if cost is not None else None
    return None


def fetch_worker(
    endpoint: str, account: str, token: str | None, script: str, seconds: float
) -> WorkerFacts | CloudTrouble:
    """Return the Worker's deployments, versions, bindings and workers.dev switch."""
    if not token:
        return CloudTrouble(why="no token", text="CLOUDFLARE_API_TOKEN is not set")
    try:
        with Workers(endpoint, account, token, timeout=seconds, patience=PATIENCE) as workers:
            return _worker(lambda path: workers.request("GET", path), f"/accounts/{account}/workers/scripts/{script}")
    except WorkersApiError as error:
        if error.codes & NO_SCRIPT:
            return WorkerFacts(gone=True)
        why = "token" if error.codes & BAD_TOKEN else _why(error.status)
        return CloudTrouble(why=why, text=str(error).rstrip("."))


def fetch_domains(endpoint: str, account: str, token: str | None, seconds: float) -> dict[str, str] | None:
    """Return the account's custom domains, each with its Worker's script. None if Cloudflare does not list them."""
    if not token:
        return None
    try:
        with Workers(endpoint, account, token, timeout=seconds, patience=PATIENCE) as workers:
            listed = workers.domains()
    except WorkersApiError:
        return None
    return {each["hostname"]: each["service"] for each in listed}


def _worker(get: Callable[[str], dict[str, Any]], path: str) -> WorkerFacts:
    deployments = tuple(Deployed.of(each) for each in get(f"{path}/deployments").get("deployments") or [])
    versions = tuple(Version.of(each) for each in get(f"{path}/versions").get("items") or [])
    facts = WorkerFacts(deployments=deployments, versions=versions, enabled=get(f"{path}/subdomain").get("enabled"))
    if facts.active is None:
        return facts
    resources = get(f"{path}/versions/{facts.active.id}").get("resources") or {}
    bindings = _bindings(resources)
    secrets = {facts.active.id: _secrets(bindings)}
    for version in _until_upload(facts.active, versions):
        secrets[version.id] = _secrets(_bindings(get(f"{path}/versions/{version.id}").get("resources") or {}))
    return WorkerFacts(
        deployments=deployments,
        versions=versions,
        bindings=bindings,
        etag=(resources.get("script") or {}).get("etag") or "",
        secrets=secrets,
        enabled=facts.enabled,
        lost_release=_release(get, path, facts.passed_over),
    )


def _release(get: Callable[[str], dict[str, Any]], path: str, version: Version | None) -> str | None:
    if version is None:
        return None
    binding = _bindings(get(f"{path}/versions/{version.id}").get("resources") or {}).get("RELEASE") or {}
    return binding.get("text")


def _until_upload(active: Version, versions: tuple[Version, ...]) -> list[Version]:
    """Return the versions before the active one, back to an upload. Empty if the active version is an upload."""
    chain: list[Version] = []
    newest = active
    for version in sorted(versions, key=lambda each: each.number, reverse=True):
        if version.number >= active.number or len(chain) == CHAIN:
            continue
        if newest.trigger != SECRET_CHANGE:
            break
        chain.append(version)
        newest = version
    return chain


def _bindings(resources: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {each["name"]: each for each in resources.get("bindings") or []}


def _secrets(bindings: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(name for name, each in bindings.items() if each["type"] == "secret_text")


def _why(status: int | None) -> Why:
    if status is None:
        return "unreachable"
    if status in (401, 403):
        return "token"
    return "failing" if status >= 500 or status == 429 else "refused"
