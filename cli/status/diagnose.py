"""Turn observations into findings: each cause once, without its consequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import advice
from cli.status import addresses, apps, checks, sources, workers
from cli.status.certificates import WARN_DAYS
from cli.status.clouds import AppFacts, CloudTrouble, WorkerFacts
from cli.status.collect import Observations
from cli.status.declared import Declared
from cli.status.model import Finding, Level, Secret, Service, short
from cli.status.probe import Answer
from settings import Settings
from stack_outputs import LOGIN_MARK
from storage.releases import named, same_bytes

OLD_BACKUP = timedelta(days=2)
"""The scheduled backup comes each day (.github/workflows/backup.yml)."""
STALE_APP = timedelta(days=1)
"""The longest time that an app may exist without a backup."""
OWN_WORDS = ("version", "release", "commit")
"""Fields that services commonly use for their version in a response."""
SILENT = frozenset({"unreachable", "late", "no token", "unknown"})
NETWORK = frozenset({"unknown host", "refused", "timeout"})


@dataclass(frozen=True, kw_only=True)
class Commands:
    """The commands that findings of this stack end with."""

    stack: str
    local: bool
    endpoint: str

    @property
    def up(self) -> str:
        return f"oracle up {self.stack}" if self.local else f"pulumi up -s {self.stack}"

    @property
    def environment(self) -> str:
        return f'eval "$(oracle env {self.stack})"'

    @property
    def again(self) -> str:
        return f"oracle status --stack {self.stack}"

    @property
    def wrangler(self) -> str:
        base = f"CLOUDFLARE_API_BASE_URL={self.endpoint}/client/v4 " if self.local else ""
        return f"{base}npx wrangler"


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The rows, findings and notes of a status."""

    services: tuple[Service, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def diagnose(
    settings: Settings, declared: Declared | None, observations: Observations, commands: Commands, now: datetime
) -> Diagnosis:
    """Return rows and findings. Pure: the same observations at the same time give the same diagnosis."""
    if offline(observations):
        services = tuple(_unobserved(observations, declared))
        return Diagnosis(services=services, findings=(_network(commands),), notes=())
    backend = backend_seen(settings, declared, observations, commands)
    backend_finding = apps.diagnose_app(backend) if declared else None
    snapshots = {name: worker_seen(name, settings, declared, observations, commands) for name in settings.workers}
    down = backend_finding is not None and backend_finding.level == "down"
    worker_findings = {name: workers.diagnose_worker(each, down) for name, each in snapshots.items()}
    findings = [
        *_clouds(observations, commands),
        *([backend_finding] if backend_finding else []),
        *(each for each in worker_findings.values() if each),
        *addresses.findings(settings, observations.backend_addresses, commands.stack),
        *(checks.findings(settings, observations.addresses, observations.checks, commands.up) if declared else ()),
        *_certificates(observations, now),
        *_backups(observations, commands, now),
    ]
    rows = [_app_row(backend, backend_finding, observations)] if declared else []
    rows += [_worker_row(each, worker_findings[name], down, observations) for name, each in snapshots.items()]
    return Diagnosis(
        services=tuple(rows), findings=tuple(findings), notes=tuple(_notes(settings, observations, declared, commands))
    )


def offline(observations: Observations) -> bool:
    """Return whether nothing could be reached. The cause is then this machine's network."""
    unreachable = all(each.trouble in NETWORK for each in observations.fronts.values())
    facts = [observations.app, *observations.workers.values()]
    return unreachable and all(isinstance(each, CloudTrouble) and each.why in SILENT for each in facts)


def _network(commands: Commands) -> Finding:
    if commands.local:
        what, next = "Neither a service nor the local cloud's API answers on this machine", "oracle cloud start"
    else:
        what = "This machine reaches none of the services and neither cloud's API: it has no network, or no DNS"
        next = f"curl -sS https://api.cloudflare.com && {commands.again}"
    return Finding(about="network", level="down", what=f"{what}.", next=next)


def _unobserved(observations: Observations, declared: Declared | None) -> Iterator[Service]:
    for name, address in observations.addresses.items():
        yield _row(name, address, observations, declared_release(name, declared), "down", because="network")


def backend_seen(
    settings: Settings, declared: Declared | None, observations: Observations, commands: Commands
) -> apps.AppSnapshot:
    health = observations.fronts.get("backend") or next(iter(observations.fronts.values()))
    return apps.AppSnapshot(
        service=settings.backend.service,
        address=observations.addresses.get("backend"),
        declared=declared,
        facts=observations.app,
        health=health,
        admin=observations.admin if health.ok else None,
        second_factor=observations.second_factor,
        console=settings.backend.console,
        freeze=observations.freeze,
        deleted_files=observations.deleted_files,
        loss=observations.loss,
        stack=commands.stack,
        replacement=settings.replacement,
        up=commands.up,
        endpoint=commands.endpoint,
    )


def worker_seen(
    name: str, settings: Settings, declared: Declared | None, observations: Observations, commands: Commands
) -> workers.WorkerSnapshot:
    worker = settings.workers[name]
    return workers.WorkerSnapshot(
        name=name,
        script=worker.script,
        address=observations.addresses[name],
        declared=declared.workers.get(name) if declared else None,
        release=declared_release(name, declared),
        facts=observations.workers[name],
        front=observations.fronts[name],
        health=worker.health,
        workers_dev=worker.workers_dev,
        hostname=worker.domain.hostname if worker.domain else None,
        domains=observations.domains,
        wrangler=commands.wrangler,
        up=commands.up,
    )


def declared_release(name: str, declared: Declared | None) -> str | None:
    """Return the digest in the receipt that the service reports as its release: a site's files or a Worker's module."""
    if declared is None:
        return None
    release = declared.outputs.release
    if name == "backend":
        return release["backend"]
    return release["assets"].get(name) or release["workers"].get(name)


def _clouds(observations: Observations, commands: Commands) -> Iterator[Finding]:
    """Yield one finding for each API that returned nothing. Unknown data is not a problem of a service."""
    if isinstance(observations.app, CloudTrouble) and observations.app.why != "unknown":
        yield _cloud("digitalocean", observations.app, "DIGITALOCEAN_TOKEN", commands)
    troubles = [each for each in observations.workers.values() if isinstance(each, CloudTrouble)]
    if troubles:
        yield _cloud("cloudflare", troubles[0], "CLOUDFLARE_API_TOKEN", commands)


def _cloud(name: str, trouble: CloudTrouble, variable: str, commands: Commands) -> Finding:
    title = {"digitalocean": "DigitalOcean", "cloudflare": "Cloudflare"}[name]
    if trouble.why == "no token":
        what, next = f"{trouble.text}, so {title}'s API was not asked", commands.environment
    elif trouble.why == "token":
        what = f"{title} refuses the token in {variable}: it is wrong, expired or revoked"
        what += "" if commands.local else "; put another into .envrc"
        next = commands.environment if commands.local else "direnv allow"
    elif trouble.why == "failing":
        what, next = f"{title}'s API fails: {trouble.text}", commands.again
    else:
        what, next = trouble.text, commands.again
    return Finding(about=name, level="degraded", what=f"{what}.", next=next)


def _certificates(observations: Observations, now: datetime) -> Iterator[Finding]:
    for name, each in observations.certificates.items():
        days = each.days(now)
        if days is not None and days < WARN_DAYS:
            address = observations.addresses[name]
            what = f"The certificate of {address} ends in {days:.0f} days and was not renewed."
            yield Finding(about=name, level="degraded", what=what, next=f"curl -svI -o /dev/null {address}")


def _backups(observations: Observations, commands: Commands, now: datetime) -> Iterator[Finding]:
    for complaint in observations.complaints:
        next = advice.command(complaint, commands.stack, f"oracle backups {commands.stack}")
        yield Finding(about="backups", level="degraded", what=str(complaint), next=next)
    if observations.complaints or observations.backups.count is None:
        return
    take = f"oracle backup {commands.stack}"
    if observations.backups.at is not None:
        age = now - datetime.fromisoformat(observations.backups.at)
        if age > OLD_BACKUP:
            yield Finding(
                about="backups", level="degraded", what=f"The newest backup is {age.days} days old.", next=take
            )
    elif isinstance(observations.app, AppFacts) and _is_stale(observations.app.app, now):
        what = "There is no backup, and the backend has been there for more than a day."
        yield Finding(about="backups", level="degraded", what=what, next=take)


def _is_stale(app: Mapping[str, object] | None, now: datetime) -> bool:
    try:
        return now - datetime.fromisoformat(str((app or {})["created_at"])) > STALE_APP
    except (KeyError, ValueError):
        return False


def _notes(
    settings: Settings, observations: Observations, declared: Declared | None, commands: Commands
) -> Iterator[str]:
    pinned = named(settings.receipt.model_dump()) if settings.receipt else None
    if pinned and declared and not same_bytes(pinned, declared.outputs.release):
        yield f"The receipt names another release than the one that is deployed; deploy it: {commands.up}"
    if declared is not None and declared.pending:
        yield f"An update is at work, or was killed in the middle; if it was: oracle recover {commands.stack}"
    if isinstance(observations.app, AppFacts) and observations.app.app:
        for kind in ("pending_deployment", "in_progress_deployment"):
            if deployment := observations.app.app.get(kind):
                yield f"A deployment of the backend is at work ({deployment.get('phase')})."
        if settings.backend.adopted and (source := sources.note(observations.app.app, settings.backend.service)):
            yield source


def _app_row(snapshot: apps.AppSnapshot, finding: Finding | None, observations: Observations) -> Service:
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


def _worker_row(
    snapshot: workers.WorkerSnapshot, finding: Finding | None, backend_is_down: bool, observations: Observations
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
        phase=workers.phase(snapshot.facts),
        runs=active.id if active else None,
        number=active.number if active else None,
        since=active.created if active else None,
        pinned=workers.phase(snapshot.facts) == "rolled back",
        secrets=_secrets(snapshot, facts),
    )


def _secrets(snapshot: workers.WorkerSnapshot, facts: WorkerFacts) -> tuple[Secret, ...]:
    """Return the declared and the bound secrets. An upload sets all of them at once."""
    if facts.active is None:
        return ()
    bound = {name for name, each in facts.bindings.items() if each["type"] == "secret_text"} - {LOGIN_MARK}
    bindings = snapshot.declared.bindings if snapshot.declared else {}
    required = {name for name, each in bindings.items() if each.type == "secret_text"}
    by_id = {each.id: each for each in facts.versions}
    changed = workers.changed_secret(facts)
    uploads = [by_id[id].created for id in facts.secrets if id in by_id]
    since = changed.created if changed else uploads[-1] if uploads else None
    return tuple(Secret(name=name, present=name in bound, since=since) for name in sorted(bound | required))


def _row(
    name: str, address: str, observations: Observations, release: str | None, level: Level, because: str | None = None
) -> Service:
    answer, certificate = observations.fronts[name], observations.certificates.get(name)
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
    return ", ".join(f"{word} {short(text)}" for word, text in values if isinstance(text, str) and text) or None


def _level(finding: Finding | None) -> Level:
    return finding.level if finding else "healthy"


def short_or_none(digest: str | None) -> str | None:
    return digest.removeprefix("sha256:") if digest else None
