"""From what was seen to what differs. Pure.

The providers do not see much of this: a refresh copies secrets and plain bindings from the state, never reads files,
and knows nothing of which version has the traffic. So what runs is judged by what we put there ourselves (`RELEASE`,
`GENERATION`, `BACKEND`) and by the clouds' own records of who made which version when. A secret's value cannot be read
back, but each change of one makes a version, and that is seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cli.adopt import LiveResources
from cli.drift.model import Drift, Owner
from cli.status import addresses, apps, checks, workers
from cli.status.clouds import AppFacts, CloudTrouble
from cli.status.collect import Observations
from cli.status.declared import Declared
from cli.status.diagnose import Commands, backend_seen, worker_seen
from cli.status.model import Finding
from settings import Settings
from stack_outputs import key_of

PLATFORM = frozenset({"MAINTENANCE", "AUTO_ROLLBACK", "AUTOSCALED"})
"""Types of a deployment's cause that no person is behind (`cause_details.type` in DigitalOcean's API)."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Everything that is judged. `live` is None where the lists of apps and domains could not be had."""

    settings: Settings
    declared: Declared
    sight: Observations
    live: LiveResources | None
    commands: Commands


def detect(scene: Observed) -> Iterator[Drift]:
    """What differs, the backend first."""
    yield from _backend(scene)
    for name in scene.settings.workers:
        yield from _worker(name, scene)
    yield from _addresses(scene)
    yield from _checks(scene)
    if scene.live:
        yield from _left_behind(scene, scene.live)
        yield from _domains(scene, scene.live)


def unknown(scene: Observed) -> Iterator[str]:
    """What could not be looked at, and why."""
    if isinstance(scene.sight.app, CloudTrouble):
        yield f"The backend's app was not looked at: {scene.sight.app.text}."
    for name, facts in scene.sight.workers.items():
        if isinstance(facts, CloudTrouble):
            yield f"The Worker {scene.settings.workers[name].script} was not looked at: {facts.text}."
        elif not facts.gone and scene.sight.backend_addresses.get(name, ()) is None:
            yield f"The code of {scene.settings.workers[name].script} could not be read."
    if scene.declared.sealed:
        yield f"{scene.declared.sealed}, so bindings were not compared: {scene.commands.environment}"
    if scene.settings.monitoring is not None and scene.sight.checks is None:
        yield "The account's uptime checks were not listed."
    if scene.live is None:
        yield "The account's apps and custom domains were not listed."


def _backend(scene: Observed) -> Iterator[Drift]:
    seen = backend_seen(scene.settings, scene.declared, scene.sight, scene.commands)
    found = apps.changed_outside_pulumi(seen)
    if found is None:
        return
    if apps.empty_disk(seen):
        yield _of(found, "the platform", next=found.next)
        return
    if found == apps.new_disk(seen):
        yield Drift(about="backend", what=found.what, owner="the platform", remedy="update", next=found.next)
        return
    facts = scene.sight.app
    assert isinstance(facts, AppFacts)
    gone, idle = facts.app is None, facts.active is None
    if gone:
        yield _of(found, "by hand", next=found.next)
        return
    cause = str(((facts.active or {}).get("cause_details") or {}).get("type") or "")
    owner: Owner = "the platform" if cause in PLATFORM else "by hand"
    failed = bool(facts.deployments) and facts.deployments[0].get("phase") in apps.FAILED
    if "backend" in scene.settings.adopted:
        yield _of(found, owner, next=f"oracle adopt {scene.commands.stack}")
        return
    can = not idle and not failed
    yield Drift(
        about="backend", what=found.what, owner=owner, remedy="replacement" if can else "none",
        next=found.next,
    )  # fmt: skip


def _worker(name: str, scene: Observed) -> Iterator[Drift]:
    seen = worker_seen(name, scene.settings, scene.declared, scene.sight, scene.commands)
    found = workers.changed_outside_pulumi(seen)
    if found is None:
        return
    version = workers.own_version(seen)
    active = seen.facts.active.id if not isinstance(seen.facts, CloudTrouble) and seen.facts.active else None
    if version and (version != active or "is shared" in found.what):
        yield Drift(about=name, what=found.what, owner="by hand", remedy="version", version=version, next=found.next)
        return
    yield Drift(about=name, what=found.what, owner="by hand", remedy="update", next=found.next)


def _addresses(scene: Observed) -> Iterator[Drift]:
    """Code that has the backend's address written in it, whoever deployed it."""
    for name, found in scene.sight.backend_addresses.items():
        if found:
            what = addresses.explain(scene.settings.workers[name].script, found)
            next = addresses.next_command(name, scene.commands.stack)
            yield Drift(about=name, what=what, owner="the code", remedy="none", next=next)


def _checks(scene: Observed) -> Iterator[Drift]:
    """Services that are not watched as declared."""
    for found in checks.findings(scene.settings, scene.sight.addresses, scene.sight.checks, scene.commands.up):
        yield Drift(about=found.about, what=found.what, owner="by hand", remedy="update", next=found.next)


def _left_behind(scene: Observed, live: LiveResources) -> Iterator[Drift]:
    """Apps with names that only this program gives, of which none is declared."""
    ours = re.compile(rf"{re.escape(scene.settings.backend.app_name)}(-g\d+(-r\d+)?)?")
    for name in live.apps:
        if ours.fullmatch(name) and name != scene.declared.outputs.backend_app:
            what = f"There is an app {name} beside {scene.declared.outputs.backend_app}, which an update left behind."
            yield Drift(about="backend", what=what, owner="left behind", remedy="none", next=scene.commands.up)


def _domains(scene: Observed, live: LiveResources) -> Iterator[Drift]:
    for name, worker in scene.settings.workers.items():
        wanted = worker.domain.hostname if worker.domain else None
        for other in live.domains:
            if other.script == worker.script and other.hostname != wanted:
                what = f"{other.hostname} leads to {worker.script}, and is not declared."
                next = f"pulumi config set --path oracle-net:{key_of(name)}.domain.hostname {other.hostname}"
                yield Drift(about=name, what=what, owner="by hand", remedy="none", next=next)


def _of(found: Finding, owner: Owner, next: str) -> Drift:
    return Drift(about=found.about, what=found.what, owner=owner, remedy="none", next=next)
