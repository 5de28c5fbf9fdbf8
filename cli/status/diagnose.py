"""From what was seen to what is wrong: each cause once, with nothing that only follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

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
"""How long an app with data may be without any backup."""
OWN_WORDS = ("version", "release", "commit")
"""What services are used to call their version in an answer."""
SILENT = frozenset({"unreachable", "late", "no token", "unknown"})
NETWORK = frozenset({"unknown host", "refused", "timeout"})


@dataclass(frozen=True, kw_only=True)
class Commands:
    """What findings tell people to type, for this stack."""

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
    services: tuple[Service, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def diagnose(
    settings: Settings, declared: Declared | None, sight: Observations, commands: Commands, now: datetime
) -> Diagnosis:
    """Rows and findings. Pure: the same sight at the same time gives the same."""
    if offline(sight):
        found = [_network(commands)]
        return Diagnosis(services=tuple(_unobserved(sight, declared)), findings=tuple(found), notes=())
    backend = backend_seen(settings, declared, sight, commands)
    of_backend = apps.diagnose_app(backend) if declared else None
    seen = {name: worker_seen(name, settings, declared, sight, commands) for name in settings.workers}
    down = of_backend is not None and of_backend.level == "down"
    of_workers = {name: workers.diagnose_worker(each, down) for name, each in seen.items()}
    findings = [
        *_clouds(sight, commands),
        *([of_backend] if of_backend else []),
        *(each for each in of_workers.values() if each),
        *addresses.findings(settings, sight.backend_addresses, commands.stack),
        *(checks.findings(settings, sight.addresses, sight.checks, commands.up) if declared else ()),
        *_certificates(sight, now),
        *_backups(sight, commands, now),
    ]
    rows = [_app_row(backend, of_backend, sight)] if declared else []
    rows += [_worker_row(each, of_workers[name], down, sight) for name, each in seen.items()]
    return Diagnosis(
        services=tuple(rows), findings=tuple(findings), notes=tuple(_notes(settings, sight, declared, commands))
    )


def offline(sight: Observations) -> bool:
    """Whether nothing at all could be reached: then it is this machine's network, not everything at once."""
    answers = all(each.trouble in NETWORK for each in sight.fronts.values())
    asked = [sight.app, *sight.workers.values()]
    return answers and all(isinstance(each, CloudTrouble) and each.why in SILENT for each in asked)


def _network(commands: Commands) -> Finding:
    if commands.local:
        what, next = "Neither a service nor the local cloud's API answers on this machine", "oracle cloud start"
    else:
        what = "This machine reaches none of the services and neither cloud's API: it has no network, or no DNS"
        next = f"curl -sS https://api.cloudflare.com && {commands.again}"
    return Finding(about="network", level="down", what=f"{what}.", next=next)


def _unobserved(sight: Observations, declared: Declared | None) -> Iterator[Service]:
    for name, address in sight.addresses.items():
        yield _row(name, address, sight, declared_release(name, declared), "down", because="network")


def backend_seen(
    settings: Settings, declared: Declared | None, sight: Observations, commands: Commands
) -> apps.AppSnapshot:
    health = sight.fronts.get("backend") or next(iter(sight.fronts.values()))
    return apps.AppSnapshot(
        service=settings.backend.service,
        address=sight.addresses.get("backend"),
        declared=declared,
        facts=sight.app,
        health=health,
        admin=sight.admin if health.ok else None,
        second_factor=sight.second_factor,
        console=settings.backend.console,
        freeze=sight.freeze,
        deleted_files=sight.deleted_files,
        loss=sight.loss,
        stack=commands.stack,
        replacement=settings.replacement,
        up=commands.up,
        endpoint=commands.endpoint,
    )


def worker_seen(
    name: str, settings: Settings, declared: Declared | None, sight: Observations, commands: Commands
) -> workers.WorkerSnapshot:
    worker = settings.workers[name]
    return workers.WorkerSnapshot(
        name=name,
        script=worker.script,
        address=sight.addresses[name],
        declared=declared.workers.get(name) if declared else None,
        release=declared_release(name, declared),
        facts=sight.workers[name],
        front=sight.fronts[name],
        health=worker.health,
        workers_dev=worker.workers_dev,
        hostname=worker.domain.hostname if worker.domain else None,
        domains=sight.domains,
        wrangler=commands.wrangler,
        up=commands.up,
    )


def declared_release(name: str, declared: Declared | None) -> str | None:
    """What the receipt says that the service calls its release: a front end its files', the api its module's."""
    if declared is None:
        return None
    release = declared.outputs.release
    if name == "backend":
        return release["backend"]
    return release["assets"].get(name) or release["workers"].get(name)


def _clouds(sight: Observations, commands: Commands) -> Iterator[Finding]:
    """One finding for each API that told nothing; what it would have told is unknown and not wrong."""
    if isinstance(sight.app, CloudTrouble) and sight.app.why != "unknown":
        yield _cloud("digitalocean", sight.app, "DIGITALOCEAN_TOKEN", commands)
    troubles = [each for each in sight.workers.values() if isinstance(each, CloudTrouble)]
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


def _certificates(sight: Observations, now: datetime) -> Iterator[Finding]:
    for name, each in sight.certificates.items():
        days = each.days(now)
        if days is not None and days < WARN_DAYS:
            address = sight.addresses[name]
            what = f"The certificate of {address} ends in {days:.0f} days and was not renewed."
            yield Finding(about=name, level="degraded", what=what, next=f"curl -svI -o /dev/null {address}")


def _backups(sight: Observations, commands: Commands, now: datetime) -> Iterator[Finding]:
    for complaint in sight.complaints:
        sentence, _, command = complaint.rpartition(": ")
        next = command if command.startswith(("oracle", "pulumi", "ls", "export", "df")) else "oracle backups"
        yield Finding(about="backups", level="degraded", what=(sentence or complaint) + ".", next=next)
    if sight.complaints or sight.backups.count is None:
        return
    take = f"oracle backup {commands.stack}"
    if sight.backups.at is not None:
        age = now - datetime.fromisoformat(sight.backups.at)
        if age > OLD_BACKUP:
            yield Finding(
                about="backups", level="degraded", what=f"The newest backup is {age.days} days old.", next=take
            )
    elif isinstance(sight.app, AppFacts) and _old(sight.app.app, now):
        what = "There is no backup, and the backend has been there for more than a day."
        yield Finding(about="backups", level="degraded", what=what, next=take)


def _old(app: Mapping[str, object] | None, now: datetime) -> bool:
    try:
        return now - datetime.fromisoformat(str((app or {})["created_at"])) > STALE_APP
    except (KeyError, ValueError):
        return False


def _notes(settings: Settings, sight: Observations, declared: Declared | None, commands: Commands) -> Iterator[str]:
    wanted = named(settings.receipt.model_dump()) if settings.receipt else None
    if wanted and declared and not same_bytes(wanted, declared.outputs.release):
        yield f"The receipt names another release than the one that is deployed; deploy it: {commands.up}"
    if declared is not None and declared.pending:
        yield f"An update is at work, or was killed in the middle; if it was: oracle recover {commands.stack}"
    if isinstance(sight.app, AppFacts) and sight.app.app:
        for kind in ("pending_deployment", "in_progress_deployment"):
            if found := sight.app.app.get(kind):
                yield f"A deployment of the backend is at work ({found.get('phase')})."
        if settings.backend.adopted and (built := sources.note(sight.app.app, settings.backend.service)):
            yield built


def _app_row(seen: apps.AppSnapshot, finding: Finding | None, sight: Observations) -> Service:
    facts = sight.app if isinstance(sight.app, AppFacts) else AppFacts()
    active = facts.active or {}
    since = seen.declared.password_since if seen.declared else None
    row = _row("backend", seen.address or "", sight, declared_release("backend", seen.declared), _level(finding))
    return replace(
        row,
        version=short_or_none(seen.version),
        phase=apps.phase(sight.app),
        runs=active.get("id"),
        since=active.get("created_at"),
        pinned=bool(facts.app and facts.app.get("pinned_deployment")),
        admin=seen.admin,
        secrets=apps.secrets(sight.app, since),
        usd_per_month=facts.cost,
    )


def _worker_row(
    seen: workers.WorkerSnapshot, finding: Finding | None, backend_is_down: bool, sight: Observations
) -> Service:
    waits = finding is None and not seen.answers and backend_is_down and seen.knows_backend
    level: Level = "degraded" if waits else _level(finding)
    facts = seen.facts if isinstance(seen.facts, WorkerFacts) else WorkerFacts()
    row = _row(seen.name, seen.address, sight, seen.release, level, because="backend" if waits else None)
    active = facts.active
    return replace(
        row,
        version=short_or_none(seen.version),
        phase=workers.phase(seen.facts),
        runs=active.id if active else None,
        number=active.number if active else None,
        since=active.created if active else None,
        pinned=workers.phase(seen.facts) == "rolled back",
        secrets=_secrets(seen, facts),
    )


def _secrets(seen: workers.WorkerSnapshot, facts: WorkerFacts) -> tuple[Secret, ...]:
    """Those that are declared, and those that are there; an upload sets all of them at once."""
    if facts.active is None:
        return ()
    there = {name for name, each in facts.bindings.items() if each["type"] == "secret_text"} - {LOGIN_MARK}
    bindings = seen.declared.bindings if seen.declared else {}
    wanted = {name for name, each in bindings.items() if each.type == "secret_text"}
    by_id = {each.id: each for each in facts.versions}
    changed = workers.changed_secret(facts)
    uploads = [by_id[id].created for id in facts.secrets if id in by_id]
    since = changed.created if changed else uploads[-1] if uploads else None
    return tuple(Secret(name=name, present=name in there, since=since) for name in sorted(there | wanted))


def _row(
    name: str, address: str, sight: Observations, release: str | None, level: Level, because: str | None = None
) -> Service:
    answer, certificate = sight.fronts[name], sight.certificates.get(name)
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
    said = ((word, answer.field.get(word)) for word in OWN_WORDS)
    return ", ".join(f"{word} {short(text)}" for word, text in said if isinstance(text, str) and text) or None


def _level(finding: Finding | None) -> Level:
    return finding.level if finding else "healthy"


def short_or_none(digest: str | None) -> str | None:
    return digest.removeprefix("sha256:") if digest else None
