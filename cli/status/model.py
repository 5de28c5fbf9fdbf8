"""What `oracle status` finds: a row for each service, and findings that each name one thing that is wrong."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["healthy", "degraded", "down"]
ORDER: tuple[Level, ...] = ("healthy", "degraded", "down")
EXIT_STATUS: dict[Level, int] = {"healthy": 0, "degraded": 1, "down": 2}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong, and what to type about it."""

    about: str
    """A service (backend, api, web, universe), a cloud (digitalocean, cloudflare), or: state, network, backups."""
    level: Level
    what: str
    """One sentence."""
    next: str
    """The next command."""


@dataclass(frozen=True, kw_only=True)
class Secret:
    name: str
    present: bool
    since: str | None
    """When its value was put there: ISO 8601; None when that is not known."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service as it is. What could not be seen is None."""

    name: str
    address: str
    level: Level
    answer: str
    """`200`, another status, or why there was none."""
    milliseconds: int | None
    version: str | None
    """The release that answers, a digest without its algorithm."""
    declared: str | None
    """The release in the stack's receipt, likewise."""
    phase: str | None
    """App: the newest deployment's phase. Worker: `active`, `rolled back`, `split`, `gone`."""
    runs: str | None
    """Id of the app's active deployment, or of the Worker's version that has the traffic."""
    number: int | None
    """That version's number; None for an app."""
    since: str | None
    """When it was made: ISO 8601."""
    pinned: bool
    """Whether somebody's rollback holds it where it is."""
    admin: bool | None
    """Whether the backend's admin can log in, from here (backend) or from the Worker (api)."""
    secrets: tuple[Secret, ...]
    certificate: str | None
    """When its certificate ends: ISO 8601; None without https."""
    usd_per_month: float | None
    """The provider's own answer; None where it gives none."""
    says: str | None
    """What its answer says of its version, in its own words."""
    because: str | None
    """The service that this one waits for, when it is only for that one that it is not healthy."""


@dataclass(frozen=True, kw_only=True)
class Backups:
    """`count` is None when the store could not be read."""

    where: str
    count: int | None
    newest: str | None
    at: str | None


@dataclass(frozen=True, kw_only=True)
class Status:
    stack: str
    at: str
    level: Level
    services: tuple[Service, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    """What is worth knowing and not wrong."""
    backups: Backups
    milliseconds: int
    """How long it took to see all this."""

    @property
    def exit_status(self) -> int:
        return EXIT_STATUS[self.level]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def worst(levels: list[Level]) -> Level:
    return max(levels, key=ORDER.index, default="healthy")


def short(digest: str | None) -> str:
    """A digest or an id as people read it."""
    return (digest or "").removeprefix("sha256:")[:12]
