"""The status of a stack: a row for each service, and findings, each about one problem."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import advice
from errors import UserError

Level = Literal["healthy", "degraded", "down"]
ORDER: tuple[Level, ...] = ("healthy", "degraded", "down")
EXIT_STATUS: dict[Level, int] = {"healthy": 0, "degraded": 1, "down": 2}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One problem, and the command that fixes it."""

    about: str
    """A service (backend, api, web, universe), a cloud (digitalocean, cloudflare), or: state, network, backups."""
    level: Level
    what: str
    """The problem, one sentence."""
    next: str
    """The command that fixes it, or that shows more."""


def finding_of(about: str, level: Level, error: UserError, stack: str, otherwise: str) -> Finding:
    """Return an error as a finding: its problem, and its first command; `otherwise` if it names none."""
    what = str(error)
    ended = what if what.endswith((".", "?", "!")) else f"{what}."
    return Finding(about=about, level=level, what=ended, next=advice.command(error, stack, otherwise))


@dataclass(frozen=True, kw_only=True)
class Secret:
    """One secret of a service. Its value is not part of the status."""

    name: str
    present: bool
    since: str | None
    """The time when its value was set: ISO 8601. None if unknown."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """The observed state of one service. A field that could not be observed is None."""

    name: str
    address: str
    level: Level
    answer: str
    """`200`, another status, or the reason why there was no response."""
    milliseconds: int | None
    version: str | None
    """The running release, a digest without its algorithm."""
    declared: str | None
    """The release in the stack's receipt, in the same format."""
    phase: str | None
    """App: the newest deployment's phase. Worker: `active`, `rolled back`, `split`, `gone`."""
    runs: str | None
    """Id of the app's active deployment, or of the Worker version that has the traffic."""
    number: int | None
    """Number of that Worker version. None for an app."""
    since: str | None
    """The time of its creation: ISO 8601."""
    pinned: bool
    """True after a manual rollback, which prevents deployments."""
    admin: bool | None
    """True if the admin can log in to the backend, from this machine (backend) or from the Worker (api)."""
    secrets: tuple[Secret, ...]
    certificate: str | None
    """The expiry of its certificate: ISO 8601. None without https."""
    usd_per_month: float | None
    """The price from the provider's API. None if the API has none."""
    says: str | None
    """The version fields of its response, such as `version 1.2`."""
    because: str | None
    """The service whose problem is the only reason why this one is not healthy."""


@dataclass(frozen=True, kw_only=True)
class Backups:
    """The backups in the store. `count` is None if the store could not be read."""

    where: str
    count: int | None
    newest: str | None
    at: str | None


@dataclass(frozen=True, kw_only=True)
class Status:
    """The status of a stack at one time."""

    stack: str
    at: str
    level: Level
    services: tuple[Service, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    """Information that is not a problem."""
    backups: Backups
    milliseconds: int
    """Duration of all reads."""

    @property
    def exit_status(self) -> int:
        return EXIT_STATUS[self.level]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def worst(levels: list[Level]) -> Level:
    return max(levels, key=ORDER.index, default="healthy")
