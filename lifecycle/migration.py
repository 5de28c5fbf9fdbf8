"""Migrate the data from one app to its successor, or restore it from a backup.

Until the api Worker has moved, the old app has all data and serves every read. During the migration the old backend
itself refuses writes (pocketbase.freeze), so it acknowledges no write that the copy does not have, no matter how the
write arrives. If the api Worker does not move, the freeze expires, and the copy is not used.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clients.app_platform import AppPlatform, AppPlatformError, ConsoleError, Deployment, variable
from clients.pocketbase import (
    OPERATOR,
    AdminError,
    BackupFailed,
    CountError,
    Login,
    Unhealthy,
    flush_wal,
    freeze,
    login,
    own_records,
    unfreeze,
    wait_healthy,
)
from errors import UserError
from lifecycle import replica
from lifecycle.backup_config import BackupConfig
from lifecycle.bootstrap import Expected, Logins, Target, bootstrap, make_logins
from lifecycle.naming import BACKEND_VARIABLE, GENERATION_VARIABLE, RELEASE_VARIABLE, owner, worker_url
from lifecycle.ownership import refuse_other
from stack_outputs import owner_of_app, owner_of_worker

if TYPE_CHECKING:
    from settings import Settings
    from storage.backups import Backup
    from storage.backups.manifest import Reason

MADE_BY_HAND = 1
RESTART_SECONDS = 1800.0
MOVE_SHARE = 3
"""1/MOVE_SHARE of the freeze must be left after the copy, so that the api Worker can be moved in that time."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The api Worker, whose plain binding BACKEND names the app that gets the traffic."""

    endpoint: str
    """Cloudflare's API with its whole prefix."""
    account: str
    script: str
    url: str
    owner: str
    """The stack. A Worker of another owner does not count."""
    health: str = "/"
    """The path of the Worker's health check."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """An app whose data is read. `generation` and `release` come from its running deployment. An app without a
    generation was made by hand, and is of the first generation.
    """

    app_id: str
    name: str
    generation: int
    release: str | None
    running: bool
    owner: str | None = None
    """None if the app has no owner."""

    @classmethod
    def of(cls, app: Mapping[str, Any], service: str) -> Source:
        active = Deployment.of(app.get("active_deployment"))
        spec = active.spec if active else app["spec"]
        generation = variable(spec, service, GENERATION_VARIABLE)
        return cls(
            app_id=app["id"],
            name=app["spec"]["name"],
            generation=int(generation) if generation and generation.isdigit() else MADE_BY_HAND,
            release=variable(spec, service, RELEASE_VARIABLE),
            running=active is not None,
            owner=owner_of_app(app["spec"]),
        )


@dataclass(frozen=True)
class Migrated:
    """The data that an app starts with: record counts and digests by collection, and the time of the last write."""

    records: dict[str, int]
    last_write: str | None
    content: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MigrationPolicy:
    """Times of a migration, in seconds."""

    drain: float
    """Time for running requests to end."""
    freeze: float
    """The longest time in which the old backend refuses writes, unless the traffic moves."""


@dataclass(frozen=True, kw_only=True)
class BackendContext:
    """The inputs of everything that handles the backend's data."""

    expected: Expected
    traffic: Traffic
    policy: MigrationPolicy
    backup_config: BackupConfig
    generation: int
    restore_from: str | None
    restart: int
    ephemeral: bool
    locked: bool
    """True if the stack refuses to delete its backend. A successor may still replace it."""

    @classmethod
    def of(cls, settings: Settings, digest: str, logins: Logins) -> BackendContext:
        from settings import cloudflare_endpoint, revealed

        api = settings.api
        url = worker_url(settings.workers_url, api)
        return cls(
            expected=Expected.of(settings, digest, logins),
            traffic=Traffic(
                endpoint=cloudflare_endpoint(),
                account=settings.account_id,
                script=api.script,
                url=url,
                owner=str(owner()),
                health=api.health.path,
            ),
            policy=MigrationPolicy(drain=settings.drain_seconds, freeze=settings.write_freeze_seconds),
            backup_config=BackupConfig.of_settings(settings, revealed(settings.backup_key)),
            generation=settings.generation,
            restore_from=settings.restore_from,
            restart=settings.restart,
            ephemeral=settings.data == "ephemeral",
            locked=settings.locked,
        )


def app_with_traffic(traffic: Traffic) -> str | None:
    """Return the name of the app that the api Worker sends its requests to; None if there is no api Worker or it is
    older than this program. Raises UserError for a Worker of another owner.
    """
    from clients.workers_api import Workers

    with Workers(traffic.endpoint, traffic.account) as workers:
        bindings = workers.bindings(traffic.script) or {}
    refuse_other(f"The Worker {traffic.script}", owner_of_worker(bindings), traffic.owner)
    backend = bindings.get(BACKEND_VARIABLE) or {}
    return str(backend["text"]) if backend.get("text") else None


def find_app_with_traffic(endpoint: str, traffic: Traffic) -> dict[str, Any] | None:
    """Return the app that the api Worker sends its requests to; None as in `app_with_traffic`, and if the app is gone.
    Raises UserError.
    """
    from clients.workers_api import WorkersApiError

    try:
        name = app_with_traffic(traffic)
        with AppPlatform(endpoint, timeout=10) as platform:
            return platform.find(name) if name else None
    except (AppPlatformError, WorkersApiError) as error:
        raise UserError(str(error)) from None


def migrate(
    platform: AppPlatform, source: Source, target: Target, backup_config: BackupConfig, policy: MigrationPolicy
) -> Migrated:
    """Replace the target's data by the source's. Return a summary of the migrated data.

    Afterwards the source refuses writes, until the freeze's end at the latest. Raises UserError; then the source
    accepts writes again.
    """
    origin = session_of(platform, source, target)
    with _frozen(origin, source, policy.freeze, policy.drain, "carried") as left:
        carried = _copy(platform, origin, target, backup_config.scratch())
        if left() < policy.freeze / MOVE_SHARE:
            raise UserError(
                f"Carrying the data of {source.name} took too long for oracle-net:writeFreezeSeconds, so it takes "
                f"writes again and nothing was moved. Set more: pulumi config set oracle-net:writeFreezeSeconds "
                f"{int(policy.freeze * 2)}, then: pulumi up"
            )
    log(f"carried {sum(carried.records.values())} records")
    return carried


def restore(target: Target, backup_config: BackupConfig, backup: str) -> Migrated:
    """Replace the target's data by the backup's. Return a summary of it. Raises UserError."""
    from storage.backups import BackupsError

    with tempfile.TemporaryDirectory(dir=backup_config.scratch()) as folder:
        archive = Path(folder) / "backup.zip"
        try:
            restored = backup_config.catalog().fetch(backup, archive)
        except BackupsError as error:
            raise UserError(str(error)) from None
        with AppPlatform(target.endpoint) as platform:
            url = platform.url(target.app_id)
        refuse_other_version(restored, url)
        _restore_archive(archive, target, url)
    expected = own_records(restored.records)
    _compare(target, expected, f"the backup {backup}")
    log(f"restored {sum(expected.values())} records from {backup}")
    return Migrated(expected, restored.last_write, restored.content)


def replace_container(
    platform: AppPlatform, target: Target, backup_config: BackupConfig, policy: MigrationPolicy
) -> Backup:
    """Back up the running app, then replace its container by one with an empty disk. Return the verified backup.

    The old container refuses writes from before the backup until it ends. Raises UserError.
    """
    source = Source.of(platform.app(target.app_id), target.service)
    origin = session_of(platform, source, target)
    longest = max(policy.freeze, 1.5 * RESTART_SECONDS)  # the freeze must not end before the old container
    with _frozen(origin, source, longest, policy.drain, "backed up"):
        backup = back_up(source, origin, backup_config, "restart")
        deployment = platform.restart(target.app_id)
        platform.wait(target.app_id, deployment.id, RESTART_SECONDS)
    bootstrap(target, fresh=True)
    return backup


def back_up(source: Source, origin: Origin, backup_config: BackupConfig, reason: Reason) -> Backup:
    """Take a verified backup of a running app. Raises UserError."""
    from storage.backups import BackupOrigin, BackupsError, take

    about = BackupOrigin(
        app=source.name,
        app_id=source.app_id,
        generation=source.generation,
        release=source.release or "",
        pocketbase=version_of(origin.url),
        reason=reason,
    )
    try:
        flush_wal(origin.url, origin.login)
        backup = take(origin.url, origin.login, backup_config.catalog(), about)
    except (BackupsError, BackupFailed, CountError) as error:
        raise UserError(f"{source.name} is not touched, since its backup failed: {error}") from None
    log(f"backup {backup.id}: {sum(own_records(backup.records).values())} records, {backup.files} files, verified")
    return backup


@dataclass(frozen=True)
class Origin:
    """A backend whose data is read: its address and the operator's session."""

    url: str
    login: Login


def session_of(platform: AppPlatform, source: Source, admin: Target) -> Origin:
    """Log in to the source as the operator. Make the operator first if an older program or a person made the app.

    Raises UserError, also for an app of another owner.
    """
    refuse_other(f"The app {source.name}", source.owner, admin.owner)
    try:
        url = platform.url(source.app_id)
        wait_healthy(url, admin.health_path)
        session = login(url, OPERATOR, admin.operator)
        if session is None:
            make_logins(platform, replace(admin, app_id=source.app_id), url)
            session = login(url, OPERATOR, admin.operator)
    except (AppPlatformError, AdminError, ConsoleError, Unhealthy) as error:
        raise UserError(f"The data of {source.name} cannot be read: {error}") from None
    if session is None:
        raise UserError(f"{source.name} refuses the login of {OPERATOR}, which it has just got; try again: pulumi up")
    return Origin(url, session)


def records(url: str, session: Login) -> dict[str, int]:
    """Return record counts by collection, without PocketBase's own collections. Raises UserError."""
    from clients.pocketbase import count_records

    try:
        return own_records(count_records(url, session))
    except CountError as error:
        raise UserError(str(error)) from None


def version_of(url: str) -> str:
    """Return the PocketBase version that a backend reports; empty if it reports none."""
    from clients.pocketbase import version

    try:
        return str(version(url).get("pocketbase") or "")
    except Unhealthy:
        return ""


def refuse_other_version(backup: Backup, url: str) -> None:
    """Raises UserError if another minor version of PocketBase made the backup than the one that runs at `url`."""
    runs = version_of(url)
    if runs and backup.pocketbase and _minor_version(runs) != _minor_version(backup.pocketbase):
        raise UserError(
            f"The backup {backup.id} was made by PocketBase {backup.pocketbase}, and {runs} runs; deploy the release "
            "it came from first, then: oracle restore"
        )


def log(text: str) -> None:
    """Print a line for the user. The engine shows its hosts' standard error."""
    print(f"data | {text}", file=sys.stderr, flush=True)


def _minor_version(version: str) -> list[str]:
    return version.lstrip("v").split(".")[:2]


@contextmanager
def _frozen(origin: Origin, source: Source, seconds: float, drain: float, work: str) -> Iterator[Callable[[], float]]:
    """Freeze the source and wait for running writes to end. Yield a function for the rest of the freeze in seconds.

    An exception ends the freeze; a normal exit does not.
    """
    started = time.monotonic()
    try:
        freeze(origin.url, origin.login, "moving", seconds)
        log(f"{source.name} refuses writes while its data is {work}; reads go on")
        time.sleep(drain)
        yield lambda: seconds - (time.monotonic() - started)
    except AdminError as error:
        _end_freeze(origin)
        raise UserError(f"{source.name} could not be frozen: {error}") from None
    except BaseException:
        _end_freeze(origin)
        raise


def _end_freeze(origin: Origin) -> None:
    """Try to end the freeze. A failure is ignored: the earlier error matters, and the freeze expires."""
    with suppress(AdminError):
        unfreeze(origin.url, origin.login)


def _copy(platform: AppPlatform, origin: Origin, target: Target, scratch: Path) -> Migrated:
    from clients.pocketbase import create_backup, delete_backup, download_backup
    from storage.backups import BackupsError, inspect

    name = f"carried-{int(time.time())}.zip"
    try:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            archive = Path(folder) / name
            flush_wal(origin.url, origin.login)
            create_backup(origin.url, origin.login, name)
            download_backup(origin.url, origin.login, name, archive)
            delete_backup(origin.url, origin.login, name)
            contents = inspect(archive, Path(folder))
            counted = records(origin.url, origin.login)
            copied = own_records(contents.records)
            if copied != counted:
                raise UserError(_mismatch(counted, copied, "The copy of the data", "the old backend"))
            _restore_archive(archive, target, platform.url(target.app_id))
    except (BackupFailed, BackupsError) as error:
        raise UserError(f"The data could not be carried: {error}") from None
    _compare(target, counted, "the old backend")
    return Migrated(counted, contents.last_write, contents.content)


def _restore_archive(archive: Path, target: Target, url: str) -> None:
    """Replace the target's data by the archive's, then make the admin's and the operator's logins work."""
    from clients.pocketbase import delete_backup, restore_backup, upload_backup

    session = _session(target, url)
    try:
        delete_backup(url, session, "incoming.zip")  # left by an attempt that ended before its restore
        upload_backup(url, session, archive, "incoming.zip")
        restore_backup(url, session, "incoming.zip")
        bootstrap(target, fresh=True)
        delete_backup(url, _session(target, url), "incoming.zip")
        _renew_replica(target)
    except (AppPlatformError, BackupFailed, ConsoleError) as error:
        raise UserError(f"The data could not be restored: {error}") from None


def _renew_replica(target: Target) -> None:
    """Restart the target's replica, if it has one, so that it has the restored data, and verify it.

    Raises UserError, and the errors of `replica`.
    """
    with AppPlatform(target.endpoint) as platform:
        if not replica.is_replicated(platform.app(target.app_id), target.service):
            return
        replica.start_anew(platform, target.app_id, target.service)
        bootstrap(target, fresh=True)
        replica.verify(platform, target.app_id, target.service)
    log("the replica is one of this data: it was restored once")


def _compare(target: Target, expected: dict[str, int], origin: str) -> None:
    with AppPlatform(target.endpoint) as platform:
        url = platform.url(target.app_id)
    actual = records(url, _session(target, url))
    if actual != expected:
        raise UserError(_mismatch(expected, actual, "The new backend", origin))


def _session(target: Target, url: str) -> Login:
    session = login(url, target.email, target.password)
    if session is None:
        raise UserError("The new backend refuses its admin's login; try again: pulumi up")
    return session


def _mismatch(expected: dict[str, int], actual: dict[str, int], what: str, origin: str) -> str:
    names = sorted(name for name in expected | actual if expected.get(name) != actual.get(name))
    counts = ", ".join(f"{name}: {expected.get(name)} there, {actual.get(name)} here" for name in names)
    return f"{what} has not the records of {origin} ({counts}); it gets no traffic. Try again: pulumi up"
