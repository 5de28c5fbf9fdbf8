"""Collect all observations of a stack in parallel: services, clouds, backups, certificates. No diagnosis."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from artifacts.addresses import BackendAddresses
from cli.backups.stack_backups import StackBackups
from cli.engine.pulumi import Engine
from cli.status import certificates, checks, clouds, running
from cli.status.addresses import Found, find_in_worker
from cli.status.certificates import Certificate
from cli.status.checks import Check
from cli.status.clouds import AppFacts, CloudTrouble, WorkerFacts
from cli.status.declared import Declared
from cli.status.model import Backups
from cli.status.probe import Answer, TimedOut, gather_with_deadline
from clients.app_platform import AppPlatform, AppPlatformError, ConsoleError
from clients.pocketbase import AdminError, SecondFactorWanted, freeze_state, login
from errors import Remedy, UserError
from settings import Settings, other_stacks
from storage.backups.loss import Loss

ONE = 5.0
"""Seconds for one request."""
ALL = 12.0
"""Seconds for everything together."""
# Only processes in the console's working directory, as the container's program is. The local cloud has others too.
OPEN_FILES = """for p in /proc/[0-9]*; do
[ "$(readlink "$p/cwd")" = "$(pwd -P)" ] && ls -l "$p/fd"
done 2>/dev/null | grep -F '(deleted)'"""
DELETED = re.compile(r"/((?:data|auxiliary)\.db(?:-wal|-shm)?) \(deleted\)")
SECOND_FACTOR = "second factor"
T = TypeVar("T")
LATE = Answer(trouble="timeout", detail=f"no answer in {ALL:g} s")


@dataclass(frozen=True, kw_only=True)
class Observations:
    """The observations of a stack."""

    addresses: Mapping[str, str]
    app: AppFacts | CloudTrouble
    workers: Mapping[str, WorkerFacts | CloudTrouble]
    health_answers: Mapping[str, Answer]
    admin: bool | None
    """True if the backend's admin can log in."""
    second_factor: bool
    """True if the admin's password is right and the backend requires a second factor."""
    freeze: str | None
    """The state of a write freeze, in the backend's own word (pocketbase.freeze_state). None without a freeze."""
    deleted_files: tuple[str, ...]
    """Deleted database files that the backend still writes to. Empty also if they cannot be listed."""
    certificates: Mapping[str, Certificate]
    backups: Backups
    complaints: tuple[UserError, ...]
    """Problems with backups."""
    checks: tuple[Check, ...] | None = None
    """The account's uptime checks. None if they could not be listed."""
    domains: Mapping[str, str] | None = None
    """The account's custom domains, each with its Worker's script. None if they could not be listed."""
    loss: Loss | None = None
    """The data that the backend has lost with its disk. None also if that cannot be determined."""
    backend_addresses: Mapping[str, Found | None] = field(default_factory=dict)
    """The backend's addresses in the code of each Worker. None if the code could not be read."""


def collect(engine: Engine, settings: Settings, declared: Declared | None) -> Observations:
    """Start all reads in parallel, and wait at most `ALL` seconds for them."""
    addresses = _addresses(settings, declared)
    found = gather_with_deadline(_reads(engine, settings, declared, addresses), ALL)
    services = tuple(addresses)
    catalog = found["backups"]
    backups, complaints = (
        catalog if not isinstance(catalog, TimedOut) else (_no_backups(settings), (_late_store(settings),))
    )
    return Observations(
        addresses=addresses,
        app=_or(found["app"], CloudTrouble(why="late", text="DigitalOcean's API answers too slowly")),
        workers={
            name: _or(found[f"script {name}"], CloudTrouble(why="late", text="Cloudflare's API answers too slowly"))
            for name in settings.workers
        },
        health_answers={name: _or(found[f"health {name}"], LATE) for name in services},
        admin=None if found["admin"] == SECOND_FACTOR else _or(found["admin"], None),
        second_factor=found["admin"] == SECOND_FACTOR,
        freeze=_or(found["freeze"], None),
        deleted_files=_or(found["deleted files"], ()),
        certificates={name: each for name in services if (each := _or(found[f"certificate {name}"], None))},
        backups=backups,
        complaints=complaints,
        checks=_or(found["checks"], None),
        domains=_or(found["domains"], None),
        loss=_or(found["loss"], None),
        backend_addresses={name: _or(found[f"addresses {name}"], None) for name in settings.workers},
    )


def _reads(
    engine: Engine, settings: Settings, declared: Declared | None, addresses: Mapping[str, str]
) -> dict[str, Callable[[], Any]]:
    reads: dict[str, Callable[[], Any]] = {"backups": partial(_backups, engine, settings)}
    stack, environment = engine.stack, engine.environment
    token = running.digitalocean_token(environment)
    app = declared.outputs.backend_app_id if declared else None
    reads |= running.questions(engine, settings, addresses, app, ONE)
    reads["deleted files"] = partial(_deleted_files, stack.digitalocean, token, app, settings.backend.service)
    reads["checks"] = partial(checks.fetch_checks, stack.digitalocean, token, ONE)
    token = environment.get("CLOUDFLARE_API_TOKEN")
    reads["domains"] = partial(clouds.fetch_domains, stack.cloudflare, settings.account_id, token, ONE)
    others = other_stacks(settings, stack.project).app_names
    backends = BackendAddresses.of(settings.backend.app_name, [addresses.get("backend")], others)
    for name, worker in settings.workers.items():
        where = (stack.cloudflare, settings.account_id, token, worker.script)
        reads[f"addresses {name}"] = partial(find_in_worker, *where, backends, ONE)
    for name, address in addresses.items():
        reads[f"certificate {name}"] = partial(certificates.fetch_certificate, address, ONE)
    reads["admin"] = partial(_admin, declared)
    reads["loss"] = partial(_loss, engine, declared)
    reads["freeze"] = partial(freeze_state, addresses["backend"], ONE) if declared else lambda: None
    return reads


def _addresses(settings: Settings, declared: Declared | None) -> dict[str, str]:
    """Return addresses by service, from the stack's outputs. Without outputs: the Workers' configured addresses."""
    if declared is not None:
        return declared.outputs.addresses
    return {
        name: f"https://{worker.domain.hostname}"
        if worker.domain
        else settings.workers_url.format(script=worker.script)
        for name, worker in settings.workers.items()
    }


def _deleted_files(endpoint: str, token: str | None, app: str | None, service: str) -> tuple[str, ...]:
    """List deleted files in the backend's console, without opening the database. Empty without a console."""
    if app is None or not token:
        return ()
    try:
        with AppPlatform(endpoint, token, timeout=ONE) as platform:
            result = platform.run_command(app, service, ["sh", "-c", OPEN_FILES], seconds=ONE)
    except (AppPlatformError, ConsoleError):
        return ()
    return tuple(sorted(set(DELETED.findall(result.output))))


def _admin(declared: Declared | None) -> bool | str | None:
    """Return whether the declared login works, or SECOND_FACTOR. None if it could not be tried."""
    if declared is None or declared.password is None:
        return None
    known = declared.outputs
    try:
        return login(known.backend_url, known.admin_email, declared.password, timeout=ONE, seconds=0) is not None
    except SecondFactorWanted:
        return SECOND_FACTOR
    except AdminError:
        return None


def _backups(engine: Engine, settings: Settings) -> tuple[Backups, tuple[UserError, ...]]:
    """Return the backups in the store. Manifests are not encrypted, so no key is needed."""
    try:
        found, complaints = StackBackups(engine).catalog_without_key.survey()
    except UserError as error:
        return _no_backups(settings), (error,)
    newest = found[0] if found else None
    return (
        Backups(
            where=settings.backup.store,
            count=len(found),
            newest=newest.id if newest else None,
            at=newest.created if newest else None,
        ),
        tuple(complaints),
    )


def _loss(engine: Engine, declared: Declared | None) -> Loss | None:
    if declared is None or declared.logins is None:
        return None
    try:
        return StackBackups(engine).loss(declared.outputs, declared.logins, ONE)
    except UserError:
        return None


def _no_backups(settings: Settings) -> Backups:
    return Backups(where=settings.backup.store, count=None, newest=None, at=None)


def _late_store(settings: Settings) -> UserError:
    return UserError(f"The backups at {settings.backup.store} did not answer within {ALL:g} s.", Remedy.LIST_BACKUPS)


def _or(found: T | TimedOut, otherwise: T) -> T:
    return otherwise if isinstance(found, TimedOut) else found
