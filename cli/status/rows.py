"""The rows of a status: the observed state of each service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cli.status import apps, worker_snapshot
from cli.status.clouds import AppFacts, WorkerFacts
from cli.status.collect import Observations
from cli.status.declared import Declared
from cli.status.model import Finding, Level, Secret, Service
from cli.status.probe import Answer
from cli.status.service_snapshots import declared_release
from cli.status.worker_snapshot import WorkerSnapshot
from stack_outputs import LOGIN_MARK, short_digest

OWN_WORDS = ("version", "release", "commit")
"""Fields that services commonly use for their version in a response."""


def unobserved_rows(observations: Observations, declared: Declared | None) -> Iterator[Service]:
    for name, address in observations.addresses.items():
        yield _row(name, address, observations, declared_release(name, declared), "down", because="network")


def app_row(snapshot: apps.AppSnapshot, finding: Finding | None, observations: Observations) -> Service:
    facts = observations.app if isinstance(observations.app, AppFacts) else AppFacts()
    active = facts.active or {}
    since = snapshot.declared.password_since if snapshot.declared else None
    row = _row(
        "backend", snapshot.address or "", observations, declared_release("backend", snapshot.declared), _level(finding)
    )
    return replace(
        row,
        version=short_or_none(snapshot.version),
        phase=apps.phase(observations.app),
        runs=active.get("id"),
        since=active.get("created_at"),
        pinned=bool(facts.app and facts.app.get("pinned_deployment")),
        admin=snapshot.admin,
        secrets=apps.secrets(observations.app, since),
        usd_per_month=facts.cost,
    )


def worker_row(
    snapshot: WorkerSnapshot, finding: Finding | None, backend_is_down: bool, observations: Observations
) -> Service:
    waits = finding is None and not snapshot.answers and backend_is_down and snapshot.knows_backend
    level: Level = "degraded" if waits else _level(finding)
    facts = snapshot.facts if isinstance(snapshot.facts, WorkerFacts) else WorkerFacts()
    row = _row(
        snapshot.name, snapshot.address, observations, snapshot.release, level, because="backend" if waits else None
    )
    active = facts.active
    return replace(
        row,
        version=short_or_none(snapshot.version),
        phase=worker_snapshot.phase(snapshot.facts),
        runs=active.id if active else None,
        number=active.number if active else None,
        since=active.created if active else None,
        pinned=worker_snapshot.phase(snapshot.facts) == "rolled back",
        secrets=_secrets(snapshot, facts),
    )


def _secrets(snapshot: WorkerSnapshot, facts: WorkerFacts) -> tuple[Secret, ...]:
    """Return the declared and the bound secrets. An upload sets all of them at once."""
    if facts.active is None:
        return ()
    bound = {name for name, each in facts.bindings.items() if each["type"] == "secret_text"} - {LOGIN_MARK}
    bindings = snapshot.declared.bindings if snapshot.declared else {}
    required = {name for name, each in bindings.items() if each.type == "secret_text"}
    by_id = {each.id: each for each in facts.versions}
    changed = worker_snapshot.changed_secret(facts)
    uploads = [by_id[id].created for id in facts.secrets if id in by_id]
    since = changed.created if changed else uploads[-1] if uploads else None
    return tuple(Secret(name=name, present=name in bound, since=since) for name in sorted(bound | required))


def _row(
    name: str, address: str, observations: Observations, release: str | None, level: Level, because: str | None = None
) -> Service:
    answer, certificate = observations.health_answers[name], observations.certificates.get(name)
    return Service(
        name=name,
        address=address,
        level=level,
        answer=str(answer),
        milliseconds=answer.milliseconds,
        version=None,
        declared=short_or_none(release),
        phase=None,
        runs=None,
        number=None,
        since=None,
        pinned=False,
        admin=None,
        secrets=(),
        certificate=certificate.ends if certificate else None,
        usd_per_month=None,
        says=_own_words(answer),
        because=because,
    )


def _own_words(answer: Answer) -> str | None:
    values = ((word, answer.field.get(word)) for word in OWN_WORDS)
    return ", ".join(f"{word} {short_digest(text)}" for word, text in values if isinstance(text, str) and text) or None


def _level(finding: Finding | None) -> Level:
    return finding.level if finding else "healthy"


def short_or_none(digest: str | None) -> str | None:
    return digest.removeprefix("sha256:") if digest else None
