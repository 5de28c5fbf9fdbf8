"""The observations of one Worker, and what follows from them: its phase, its own version, a changed secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from cli.status.clouds import SECRET_CHANGE, CloudTrouble, Version, WorkerFacts
from cli.status.declared import DeclaredWorker
from cli.status.model import Level
from cli.status.probe import Answer
from settings import HealthSettings
from stack_outputs import ADOPTED, LOGIN_MARK

BACKEND_ADDRESS = "POCKETBASE_URL"
TOLERANCE = timedelta(seconds=2)
"""The largest difference between a version's time and its script's time, if one upload set both."""


@dataclass(frozen=True, kw_only=True)
class WorkerSnapshot:
    """The observations of one Worker: its public address and Cloudflare's API."""

    name: str
    script: str
    address: str
    declared: DeclaredWorker | None
    release: str | None
    """The release in the receipt."""
    facts: WorkerFacts | CloudTrouble
    health_answer: Answer
    """The response to its health check."""
    health: HealthSettings
    workers_dev: bool
    hostname: str | None = None
    """Its declared custom domain."""
    domains: Mapping[str, str] | None = None
    """The account's custom domains, each with its script. None if unknown."""
    wrangler: str
    """The wrangler command for this stack."""
    up: str
    """The command that updates the stack."""

    @property
    def version(self) -> str | None:
        """The release that the active version reports."""
        return self.facts.release if isinstance(self.facts, WorkerFacts) else None

    @property
    def knows_backend(self) -> bool:
        """True if the backend's address is bound to the Worker, which may then fail because of the backend."""
        bindings = self.facts.bindings if isinstance(self.facts, WorkerFacts) else {}
        return BACKEND_ADDRESS in bindings or (self.declared is not None and BACKEND_ADDRESS in self.declared.bindings)

    @property
    def adopted(self) -> str:
        """The adopted version, until the first release of ours. Else empty."""
        release = self.release or ""
        return release.removeprefix(ADOPTED) if release.startswith(ADOPTED) else ""

    @property
    def answers(self) -> bool:
        return self.health.accepts(self.health_answer.status)

    @property
    def level(self) -> Level:
        return "degraded" if self.answers else "down"

    @property
    def but(self) -> str:
        """The end of a finding's sentence if the Worker does not respond."""
        return "" if self.answers else f", and it does not serve ({self.health_answer})"

    def bound(self, name: str) -> str | None:
        bindings = self.facts.bindings if isinstance(self.facts, WorkerFacts) else {}
        return (bindings.get(name) or {}).get("text")


def own_version(snapshot: WorkerSnapshot) -> str | None:
    """Return the version that should have the traffic: the engine's last upload or the adopted one. None if deleted."""
    if not isinstance(snapshot.facts, WorkerFacts):
        return None
    if snapshot.adopted:
        return next((each.id for each in snapshot.facts.versions if each.id == snapshot.adopted), None)
    return next((each.id for each in snapshot.facts.versions if is_the_engines_upload(snapshot, each)), None)


def phase(facts: WorkerFacts | CloudTrouble) -> str | None:
    """Return one word for the state of the traffic."""
    if isinstance(facts, CloudTrouble):
        return None
    if facts.gone:
        return "gone"
    if facts.deployments and len(facts.deployments[0].shares) > 1:
        return "split"
    return "rolled back" if facts.passed_over else "active" if facts.active else "not deployed"


def changed_secret(facts: WorkerFacts) -> Version | None:
    """Return the newest version in which a person changed a secret. A change by an update also changes LOGIN_MARK."""
    versions = {each.id: each for each in facts.versions}
    chain = [versions[id] for id in facts.secrets if id in versions]
    for after, before in pairwise(chain):
        now, then = facts.secrets[after.id], facts.secrets[before.id]
        differ = now ^ then
        if after.trigger == SECRET_CHANGE and (LOGIN_MARK not in differ or differ - {LOGIN_MARK}):
            return after
    return None


def is_the_engines_upload(snapshot: WorkerSnapshot, version: Version) -> bool:
    """Return whether the version was created at the time of the engine's last upload."""
    if snapshot.declared is None or not snapshot.declared.modified or version.trigger == SECRET_CHANGE:
        return False
    return not is_after(version.created, snapshot.declared.modified) and not is_after(
        snapshot.declared.modified, version.created
    )


def is_after(one: str, other: str) -> bool:
    """Return whether the time `one` is later than `other`, by more than the tolerance."""
    try:
        return datetime.fromisoformat(one) - datetime.fromisoformat(other) > TOLERANCE
    except (ValueError, TypeError):
        return False
