"""The stack's outputs: everything that the program and the operations share.

The program exports `OUTPUTS` and each service's address, `<service>Url`; `ops` reads them through `Outputs`. Back goes
`Kept`, when only some services are deployed. Nothing else passes between the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict


class Release(TypedDict):
    """The receipt: which bytes a stack runs."""

    backend: str
    """Image digest, `sha256:<64 hex>`; or `ADOPTED`, as in `workers` and `assets`."""
    workers: dict[str, str]
    """SHA-256 of each Worker's module, hex, by service."""
    assets: dict[str, str]
    """SHA-256 of each asset set's manifest, hex, by service."""
    commits: dict[str, str]
    """Commit of each source by service, 40 hex digits, `-dirty` behind it where files differ; empty outside git."""


class PinnedServices(TypedDict):
    """What stays as it is although its sources may have changed: the operations name the file with it, as JSON, in the
    environment variable `KEPT_VARIABLE` when only some services are deployed.
    """

    services: list[str]
    release: Release
    """What runs."""
    api: str
    """The text of the api Worker's module that runs."""


KEPT_VARIABLE = "ORACLE_KEPT"

WITHOUT_BACKUP = "ORACLE_NO_BACKUP"
"""Names an app that may be deleted without a backup: `oracle wipe --no-backup` sets it when the stack is typed, and
`oracle review`, whose environments end.
"""

LATE_WRITES = "ORACLE_LATE_WRITES"
"""Names an app that may be deleted although it was written to after its data was carried: somebody has seen to it."""

LOGIN_MARK = "ADMIN_LOGIN_OF_UPDATE"
"""A secret that an update binds beside the api Worker's login when it changes that by itself: whoever finds another
login without it knows that a person has changed it. The next upload drops it.
"""

ADOPTED = "adopted:"
"""What stands in a receipt before the id of what runs (the app's deployment, a Worker's version) where a service was
made by hand, taken over, and not released from here yet.
"""

FIRST = ("backend", "api")
"""The services that every stack has."""


def in_order(services: Iterable[str]) -> list[str]:
    """Services as they are shown: the backend, the api, the others by name."""
    return sorted(services, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def key_of(service: str) -> str:
    """The configuration key of a service, without the project's prefix."""
    return service if service == "backend" else f"workers.{service}"


UNBUILT = "unbuilt:"
"""What stands in a preview's receipt before the hash of an image's inputs, where the update will build it first."""

OWNER_VARIABLE = "STACK"
"""What an app and a Worker carry their owner under, as plain text: `organization/project/stack`."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A stack by its whole name. Whatever is kept is kept under it, and what is made carries it."""

    organization: str
    """`organization` in a state of one's own, as the engine calls it; else the one in Pulumi Cloud."""
    project: str
    stack: str

    def __str__(self) -> str:
        return f"{self.organization}/{self.project}/{self.stack}"

    @classmethod
    def of(cls, text: str) -> Owner:
        """From what `str` makes of one. Raises ValueError for anything else."""
        organization, project, stack = text.split("/")
        return cls(organization=organization, project=project, stack=stack)


def owner_of_app(spec: Mapping[str, Any]) -> str | None:
    """Whose an app is by its spec, as App Platform's API shows it; None where it carries no owner."""
    return next((str(env["value"]) for env in _variables(spec) if env.get("key") == OWNER_VARIABLE), None)


def owner_of_worker(bindings: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Whose a Worker is by its bindings, as Cloudflare's API shows them; None where it carries no owner."""
    text = (bindings.get(OWNER_VARIABLE) or {}).get("text")
    return str(text) if text else None


def check_name(owner: str, service: str) -> str:
    """What the uptime check of a service is called. The API knows no other mark, and sets no limit to a name."""
    return f"{owner} {service}"


def owner_of_check(name: str) -> str | None:
    """Whose an uptime check is by its name; None where that carries no owner."""
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
"""What an output of a service's address has behind the service's name."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """A deployed stack's outputs. `from_state` raises KeyError naming the output that is missing."""

    addresses: dict[str, str]
    """By service, in the order in which they are shown."""
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
        found = {key.removesuffix(URL): str(outputs[key]) for key in outputs if key.endswith(URL)}
        return cls(
            addresses={name: found[name] for name in in_order({"backend", "api", *found})},
            backend_app=outputs["backendApp"],
            backend_app_id=outputs["backendAppId"],
            generation=int(outputs["generation"]),
            release=outputs["release"],
            admin_email=outputs["adminEmail"],
        )
