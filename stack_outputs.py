"""The stack's outputs: everything that the program and the command share.

The program exports `OUTPUTS` and each service's address, `<service>Url`. The command reads them through `Outputs`. It
passes `PinnedServices` to the program when it deploys only some services. They exchange nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict


class Release(TypedDict):
    """The receipt: the digests of the bytes that a stack runs."""

    backend: str
    """Image digest, `sha256:<64 hex>`; or `ADOPTED`, as in `workers` and `assets`."""
    workers: dict[str, str]
    """SHA-256 of each Worker's module, hex, by service."""
    assets: dict[str, str]
    """SHA-256 of each asset set's manifest, hex, by service."""
    commits: dict[str, str]
    """Commit of each source by service: 40 hex digits, with `-dirty` if files differ; empty outside git."""


class PinnedServices(TypedDict):
    """The services that an update does not deploy, although their sources may have changed.

    When the command deploys only some services, the environment variable `PINNED_VARIABLE` names the JSON file with
    this.
    """

    services: list[str]
    release: Release
    """The running release."""
    api: str
    """The text of the running api Worker's module."""


PINNED_VARIABLE = "ORACLE_PINNED"

WITHOUT_BACKUP = "ORACLE_NO_BACKUP"
"""The variable with the name of an app that may be deleted without a backup. `oracle wipe --no-backup` sets it after
the user typed the stack's name, and `oracle review` sets it for review environments.
"""

RUN_VARIABLE = "ORACLE_RUN"
"""The variable that is set when the command runs the engine. The command knows how to go on after a failure, so the
program's errors then advise no `pulumi up`.
"""

LATE_WRITES = "ORACLE_LATE_WRITES"
"""The variable with the name of an app that may be deleted although it was written to after its data was migrated,
because the user has dealt with these writes.
"""

LOGIN_MARK = "ADMIN_LOGIN_OF_UPDATE"
"""A secret that an update binds beside the api Worker's login when the update changes that login. A changed login
without this secret was changed by a person. The next upload drops the secret.
"""

ADOPTED = "adopted:"
"""The prefix in a receipt of an adopted service that was not released yet. The id of the running deployment (of the
app) or version (of a Worker) follows.
"""

FIRST = ("backend", "api")
"""The services that every stack has."""


def in_order(services: Iterable[str]) -> list[str]:
    """Return services in the order of display: the backend, the api, the others by name."""
    return sorted(services, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def key_of(service: str) -> str:
    """Return the configuration key of a service, without the project's prefix."""
    return service if service == "backend" else f"workers.{service}"


UNBUILT = "unbuilt:"
"""The prefix in a preview's receipt of the hash of an image's inputs, if the update will build the image first."""

OWNER_VARIABLE = "STACK"
"""The plain text variable of an app and a Worker with their owner: `organization/project/stack`."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A stack by its full name. Resources carry it, and the backup store stores everything under it."""

    organization: str
    """The organization in Pulumi Cloud; for another state backend, `organization`, as the engine calls it."""
    project: str
    stack: str

    def __str__(self) -> str:
        return f"{self.organization}/{self.project}/{self.stack}"

    @classmethod
    def of(cls, text: str) -> Owner:
        """Parse `organization/project/stack`. Raises ValueError for another form."""
        organization, project, stack = text.split("/")
        return cls(organization=organization, project=project, stack=stack)


def owner_of_app(spec: Mapping[str, Any]) -> str | None:
    """Return an app's owner from its spec in App Platform's API; None if it has no owner."""
    return next((str(env["value"]) for env in _variables(spec) if env.get("key") == OWNER_VARIABLE), None)


def owner_of_worker(bindings: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return a Worker's owner from its bindings in Cloudflare's API; None if it has no owner."""
    text = (bindings.get(OWNER_VARIABLE) or {}).get("text")
    return str(text) if text else None


def check_name(owner: str, service: str) -> str:
    """Return the name of a service's uptime check. A check can carry its owner only in its name, which has no limit."""
    return f"{owner} {service}"


def owner_of_check(name: str) -> str | None:
    """Return an uptime check's owner from its name; None if it has no owner."""
    owner, space, _ = name.rpartition(" ")
    return owner if space and owner.count("/") == 2 and " " not in owner else None


def _variables(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for service in spec.get("services") or []:
        yield from (env for env in service.get("envs") or [] if env.get("value"))


OUTPUTS = (
    "backendApp",
    "backendAppId",
    "generation",
    "release",
    "adminEmail",
    "adminPassword",
)
SECRET_OUTPUTS = frozenset({"adminPassword"})
URL = "Url"
"""The suffix of the output with a service's address, after the service's name."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """A deployed stack's outputs. `from_state` raises KeyError with the name of a missing output."""

    addresses: dict[str, str]
    """Addresses by service, in the order of display."""
    backend_app: str
    """The name of the app that runs the backend."""
    backend_app_id: str
    generation: int
    release: Release
    admin_email: str

    @property
    def backend_url(self) -> str:
        return self.addresses["backend"]

    @property
    def api_url(self) -> str:
        return self.addresses["api"]

    @classmethod
    def from_state(cls, outputs: Mapping[str, Any]) -> Outputs:
        urls = {key.removesuffix(URL): str(outputs[key]) for key in outputs if key.endswith(URL)}
        return cls(
            addresses={name: urls[name] for name in in_order({"backend", "api", *urls})},
            backend_app=outputs["backendApp"],
            backend_app_id=outputs["backendAppId"],
            generation=int(outputs["generation"]),
            release=outputs["release"],
            admin_email=outputs["adminEmail"],
        )


def short_digest(digest: str | None) -> str:
    """Return the first twelve hex digits of a digest or an id, as they are shown to people; empty without one."""
    return (digest or "").removeprefix("sha256:")[:12]
