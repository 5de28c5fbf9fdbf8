"""Turn observations into findings: each cause once, without its consequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cli.status import addresses, apps, checks, sources, workers
from cli.status.certificates import WARN_DAYS
from cli.status.clouds import AppFacts, CloudTrouble
from cli.status.collect import Observations
from cli.status.commands import Commands
from cli.status.declared import Declared
from cli.status.model import Finding, Service, finding_of
from cli.status.rows import app_row, unobserved_rows, worker_row
from cli.status.service_snapshots import app_snapshot, worker_snapshot
from settings import Settings
from storage.releases import named, same_bytes

OLD_BACKUP = timedelta(days=2)
"""The scheduled backup comes each day (.github/workflows/backup.yml)."""
STALE_APP = timedelta(days=1)
"""The longest time that an app may exist without a backup."""
SILENT = frozenset({"unreachable", "late", "no token", "unknown"})
NETWORK = frozenset({"unknown host", "refused", "timeout"})


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
        services = tuple(unobserved_rows(observations, declared))
        return Diagnosis(services=services, findings=(_network(commands),), notes=())
    backend = app_snapshot(settings, declared, observations, commands)
    backend_finding = apps.diagnose_app(backend) if declared else None
    snapshots = {name: worker_snapshot(name, settings, declared, observations, commands) for name in settings.workers}
    down = backend_finding is not None and backend_finding.level == "down"
    worker_findings = {name: workers.diagnose_worker(each, down) for name, each in snapshots.items()}
    findings = [
        *_clouds(observations, commands),
        *([backend_finding] if backend_finding else []),
        *_undeleted(declared, commands),
        *(each for each in worker_findings.values() if each),
        *addresses.findings(settings, observations.backend_addresses, commands.stack),
        *(checks.findings(settings, observations.addresses, observations.checks, commands.up) if declared else ()),
        *_certificates(observations, now),
        *_backups(observations, commands, now),
    ]
    rows = [app_row(backend, backend_finding, observations)] if declared else []
    rows += [worker_row(each, worker_findings[name], down, observations) for name, each in snapshots.items()]
    return Diagnosis(
        services=tuple(rows), findings=tuple(findings), notes=tuple(_notes(settings, observations, declared, commands))
    )


def offline(observations: Observations) -> bool:
    """Return whether nothing could be reached. The cause is then this machine's network."""
    unreachable = all(each.trouble in NETWORK for each in observations.health_answers.values())
    facts = [observations.app, *observations.workers.values()]
    return unreachable and all(isinstance(each, CloudTrouble) and each.why in SILENT for each in facts)


def _network(commands: Commands) -> Finding:
    if commands.local:
        what, next = "Neither a service nor the local cloud's API answers on this machine", commands.start_cloud
    else:
        what = "This machine reaches none of the services and neither cloud's API: it has no network, or no DNS"
        next = f"curl -sS https://api.cloudflare.com && {commands.status}"
    return Finding(about="network", level="down", what=f"{what}.", next=next)


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
        what += "" if commands.local else ". Put another one into .envrc"
        next = commands.environment if commands.local else "direnv allow"
    elif trouble.why == "failing":
        what, next = f"{title}'s API fails: {trouble.text}", commands.status
    else:
        what, next = trouble.text, commands.status
    return Finding(about=name, level="degraded", what=f"{what}.", next=next)


def _undeleted(declared: Declared | None, commands: Commands) -> Iterator[Finding]:
    """Yield a finding for each replaced app that the last update left. A running update deletes it at its end."""
    for app in declared.undeleted if declared and not declared.pending else ():
        what = f"{app} was replaced, but it is not deleted yet: the last update failed before its end."
        yield Finding(about="backend", level="degraded", what=what, next=commands.up)


def _certificates(observations: Observations, now: datetime) -> Iterator[Finding]:
    for name, each in observations.certificates.items():
        days = each.days(now)
        if days is not None and days < WARN_DAYS:
            address = observations.addresses[name]
            what = f"The certificate of {address} ends in {days:.0f} days and was not renewed."
            yield Finding(about=name, level="degraded", what=what, next=f"curl -svI -o /dev/null {address}")


def _backups(observations: Observations, commands: Commands, now: datetime) -> Iterator[Finding]:
    for error in observations.complaints:
        yield finding_of("backups", "degraded", error, commands.stack, f"oracle backups {commands.stack}")
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
        what = "There is no backup, although the backend is more than a day old."
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
        yield f"The receipt names another release than the one that is deployed. To deploy it, run `{commands.up}`."
    if declared is not None and declared.pending:
        yield f"An update is running, or was killed. If it was killed, run `oracle recover {commands.stack}`."
    if isinstance(observations.app, AppFacts) and observations.app.app:
        for kind in ("pending_deployment", "in_progress_deployment"):
            if deployment := observations.app.app.get(kind):
                yield f"A deployment of the backend is running ({deployment.get('phase')})."
        if settings.backend.adopted and (source := sources.note(observations.app.app, settings.backend.service)):
            yield source
