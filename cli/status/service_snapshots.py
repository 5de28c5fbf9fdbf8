"""The observations of one service, taken from those of the whole stack."""

from __future__ import annotations

from cli.status.apps import AppSnapshot
from cli.status.collect import Observations
from cli.status.commands import Commands
from cli.status.declared import Declared
from cli.status.worker_snapshot import WorkerSnapshot
from settings import Settings


def app_snapshot(
    settings: Settings, declared: Declared | None, observations: Observations, commands: Commands
) -> AppSnapshot:
    health = observations.health_answers.get("backend") or next(iter(observations.health_answers.values()))
    return AppSnapshot(
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


def worker_snapshot(
    name: str, settings: Settings, declared: Declared | None, observations: Observations, commands: Commands
) -> WorkerSnapshot:
    worker = settings.workers[name]
    return WorkerSnapshot(
        name=name,
        script=worker.script,
        address=observations.addresses[name],
        declared=declared.workers.get(name) if declared else None,
        release=declared_release(name, declared),
        facts=observations.workers[name],
        health_answer=observations.health_answers[name],
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
