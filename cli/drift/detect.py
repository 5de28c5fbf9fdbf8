"""Find the differences between the observations and the state. Pure.

The providers miss most of them: a refresh copies secrets and plain bindings from the state, never reads files, and does
not check which version has the traffic. So the running services are compared by our own marks (`RELEASE`, `GENERATION`,
`BACKEND`) and by the clouds' records of each version's author and time. A secret's value cannot be read back, but each
change of a secret creates a version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import advice
from cli.adopt import LiveResources
from cli.drift.model import Drift, Owner
from cli.status import addresses, apps, checks, worker_snapshot, workers
from cli.status.clouds import AppFacts, CloudTrouble
from cli.status.collect import Observations
from cli.status.commands import Commands
from cli.status.declared import Declared
from cli.status.model import Finding
from cli.status.service_snapshots import app_snapshot
from cli.status.service_snapshots import worker_snapshot as snapshot_of_worker
from errors import Remedy, UserError
from settings import Settings
from stack_outputs import key_of

PLATFORM = frozenset({"MAINTENANCE", "AUTO_ROLLBACK", "AUTOSCALED"})
"""Causes of deployments by the platform, not by a person (`cause_details.type` in DigitalOcean's API)."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The input of the comparison. `live` is None if apps and domains could not be listed."""

    settings: Settings
    declared: Declared
    observations: Observations
    live: LiveResources | None
    commands: Commands


def detect(scene: Observed) -> Iterator[Drift]:
    """Yield the differences, the backend's first."""
    yield from _backend(scene)
    for name in scene.settings.workers:
        yield from _worker(name, scene)
    yield from _addresses(scene)
    yield from _checks(scene)
    if scene.live:
        yield from _left_behind(scene, scene.live)
        yield from _domains(scene, scene.live)


def unknown(scene: Observed) -> Iterator[str]:
    """Yield a sentence for each part that could not be checked, with the reason."""
    if isinstance(scene.observations.app, CloudTrouble):
        yield f"The backend's app was not checked: {scene.observations.app.text}."
    for name, facts in scene.observations.workers.items():
        if isinstance(facts, CloudTrouble):
            yield f"The Worker {scene.settings.workers[name].script} was not checked: {facts.text}."
        elif not facts.gone and scene.observations.backend_addresses.get(name, ()) is None:
            yield f"The code of {scene.settings.workers[name].script} could not be read."
    if scene.declared.sealed:
        sealed = UserError(f"{scene.declared.sealed}, so bindings were not compared.", Remedy.LOAD_ENVIRONMENT)
        yield advice.text(sealed, scene.commands.stack, "")
    if scene.settings.monitoring is not None and scene.observations.checks is None:
        yield "The account's uptime checks were not listed."
    if scene.live is None:
        yield "The account's apps and custom domains were not listed."


def _backend(scene: Observed) -> Iterator[Drift]:
    snapshot = app_snapshot(scene.settings, scene.declared, scene.observations, scene.commands)
    finding = apps.changed_outside_pulumi(snapshot)
    if finding is None:
        return
    if apps.empty_disk(snapshot):
        yield _of(finding, "the platform", next=finding.next)
        return
    if finding == apps.new_disk(snapshot):
        yield Drift(about="backend", what=finding.what, owner="the platform", remedy="update", next=finding.next)
        return
    facts = scene.observations.app
    assert isinstance(facts, AppFacts)
    gone, idle = facts.app is None, facts.active is None
    if gone:
        yield _of(finding, "by hand", next=finding.next)
        return
    cause = str(((facts.active or {}).get("cause_details") or {}).get("type") or "")
    owner: Owner = "the platform" if cause in PLATFORM else "by hand"
    failed = bool(facts.deployments) and facts.deployments[0].get("phase") in apps.FAILED
    if "backend" in scene.settings.adopted:
        yield _of(finding, owner, next=f"oracle adopt {scene.commands.stack}")
        return
    replaceable = not idle and not failed
    yield Drift(
        about="backend", what=finding.what, owner=owner, remedy="replacement" if replaceable else "none",
        next=finding.next,
    )  # fmt: skip


def _worker(name: str, scene: Observed) -> Iterator[Drift]:
    snapshot = snapshot_of_worker(name, scene.settings, scene.declared, scene.observations, scene.commands)
    finding = workers.changed_outside_pulumi(snapshot)
    if finding is None:
        return
    version = worker_snapshot.own_version(snapshot)
    active = (
        snapshot.facts.active.id if not isinstance(snapshot.facts, CloudTrouble) and snapshot.facts.active else None
    )
    if version and (version != active or worker_snapshot.phase(snapshot.facts) == "split"):
        yield Drift(
            about=name, what=finding.what, owner="by hand", remedy="version", version=version, next=finding.next
        )
        return
    yield Drift(about=name, what=finding.what, owner="by hand", remedy="update", next=finding.next)


def _addresses(scene: Observed) -> Iterator[Drift]:
    """Find code that contains the backend's address, no matter who deployed it."""
    for name, occurrences in scene.observations.backend_addresses.items():
        if occurrences:
            what = addresses.explain(scene.settings.workers[name].script, occurrences)
            next = addresses.next_command(name, scene.commands.stack)
            yield Drift(about=name, what=what, owner="the code", remedy="none", next=next)


def _checks(scene: Observed) -> Iterator[Drift]:
    """Find services without their declared uptime check."""
    for finding in checks.findings(
        scene.settings, scene.observations.addresses, scene.observations.checks, scene.commands.up
    ):
        yield Drift(about=finding.about, what=finding.what, owner="by hand", remedy="update", next=finding.next)


def _left_behind(scene: Observed, live: LiveResources) -> Iterator[Drift]:
    """Find apps with names of this program's pattern that are not declared."""
    pattern = re.compile(rf"{re.escape(scene.settings.backend.app_name)}(-g\d+(-r\d+)?)?")
    for name in live.apps:
        if pattern.fullmatch(name) and name != scene.declared.outputs.backend_app:
            what = f"An update did not delete the app {name}, which {scene.declared.outputs.backend_app} has replaced."
            yield Drift(about="backend", what=what, owner="left behind", remedy="none", next=scene.commands.up)


def _domains(scene: Observed, live: LiveResources) -> Iterator[Drift]:
    for name, worker in scene.settings.workers.items():
        declared = worker.domain.hostname if worker.domain else None
        for other in live.domains:
            if other.script == worker.script and other.hostname != declared:
                what = f"{other.hostname} leads to {worker.script} and is not declared."
                key = f"oracle-net:{key_of(name)}.domain.hostname"
                next = f"pulumi config set --path {key} {other.hostname} --stack {scene.commands.stack}"
                yield Drift(about=name, what=what, owner="by hand", remedy="none", next=next)


def _of(finding: Finding, owner: Owner, next: str) -> Drift:
    return Drift(about=finding.about, what=finding.what, owner=owner, remedy="none", next=next)
