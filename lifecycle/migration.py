"""Move the data from one app to the next: carry it, restore it from a backup, or leave it behind.

Until the api Worker has moved, the old app has all the data, and serves every read. While its data is carried the old
backend itself refuses writes (pocketbase.freeze), so none is acknowledged that the copy does not have; whoever asks,
and however. A freeze that is not followed by the move ends by itself, and then the copy is not used.
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
from lifecycle import replica
from lifecycle.backup_config import BackupConfig
from lifecycle.bootstrap import Expected, Logins, Target, bootstrap, make_logins
from lifecycle.errors import UserError
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
"""One part in so many of a freeze must be left when the copy is made, for the api Worker to be moved in."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The api Worker, which knows by a plain binding whose traffic it carries."""

    endpoint: str
    """Cloudflare's API with its whole prefix."""
    account: str
    script: str
    url: str
    owner: str
    """Our stack; another's Worker tells nothing of our traffic."""
    health: str = "/"
    """The path at which it is asked whether it is well."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """An app whose data is looked at; `generation` and `release` are what its running deployment says. One that does
    not say its generation was made by hand, and is the first.
    """

    app_id: str
    name: str
    generation: int
    release: str | None
    running: bool
    owner: str | None = None
    """None where it carries none."""

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
    """What an app starts with: records by collection, when the newest of them was written, and digests of them all."""

    records: dict[str, int]
    last_write: str | None
    content: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MigrationPolicy:
    """How careful a transfer is, in seconds."""

    drain: float
    """For requests that are under way to end."""
    freeze: float
    """The longest time in which the old backend refuses writes, unless the traffic moves."""


@dataclass(frozen=True, kw_only=True)
class BackendContext:
    """What is needed to look after the backend's data."""

    expected: Expected
    traffic: Traffic
    policy: MigrationPolicy
    backup_config: BackupConfig
    generation: int
    restore_from: str | None
    restart: int
    ephemeral: bool
    locked: bool
    """Whether the stack keeps its backend, whoever asks for its deletion; a successor may still replace it."""

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
    """The name of the app that the api Worker sends its requests to; None when there is no api Worker or it is older
    than this program. Raises Sentence for another stack's: whom that serves is nothing to us.
    """
    from clients.workers_api import Workers

    with Workers(traffic.endpoint, traffic.account) as workers:
        bindings = workers.bindings(traffic.script) or {}
    refuse_other(f"The Worker {traffic.script}", owner_of_worker(bindings), traffic.owner)
    found = bindings.get(BACKEND_VARIABLE) or {}
    return str(found["text"]) if found.get("text") else None


def find_app_with_traffic(endpoint: str, traffic: Traffic) -> dict[str, Any] | None:
    """The app that the api Worker sends its requests to; None as in `served`, and when it is gone. Raises Sentence."""
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
    """Make the target's data the source's; returns what was carried.

    The source refuses writes afterwards, until the freeze's end at the latest. Raises Sentence; then it takes them.
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
    """Makes the target's data the backup's; returns what it is. Raises Sentence."""
    from storage.backups import BackupsError

    with tempfile.TemporaryDirectory(dir=backup_config.scratch()) as folder:
        archive = Path(folder) / "backup.zip"
        try:
            kept = backup_config.catalog().fetch(backup, archive)
        except BackupsError as error:
            raise UserError(str(error)) from None
        with AppPlatform(target.endpoint) as platform:
            url = platform.url(target.app_id)
        refuse_other_version(kept, url)
        _put(archive, target, url)
    expected = own_records(kept.records)
    _compare(target, expected, f"the backup {backup}")
    log(f"restored {sum(expected.values())} records from {backup}")
    return Migrated(expected, kept.last_write, kept.content)


def replace_container(
    platform: AppPlatform, target: Target, backup_config: BackupConfig, policy: MigrationPolicy
) -> Backup:
    """Give the app that runs another container with an empty disk; returns the verified backup that was taken before.

    The old container refuses writes from before the backup until it ends. Raises Sentence.
    """
    source = Source.of(platform.app(target.app_id), target.service)
    origin = session_of(platform, source, target)
    longest = max(policy.freeze, 1.5 * RESTART_SECONDS)  # it must not end before the old container does
    with _frozen(origin, source, longest, policy.drain, "backed up"):
        backup = back_up(source, origin, backup_config, "restart")
        deployment = platform.restart(target.app_id)
        platform.wait(target.app_id, deployment.id, RESTART_SECONDS)
    bootstrap(target, fresh=True)
    return backup


def back_up(source: Source, origin: Origin, backup_config: BackupConfig, reason: Reason) -> Backup:
    """A verified backup of a running app. Raises Sentence."""
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
    """A backend whose data is looked at: its address, and a session of the operator."""

    url: str
    login: Login


def session_of(platform: AppPlatform, source: Source, admin: Target) -> Origin:
    """A session of the source's operator, who is made where there is none yet: an app of before, or one made by hand.

    Raises Sentence, also when the app carries another stack's mark.
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
    """Records by collection, without PocketBase's own. Raises Sentence."""
    from clients.pocketbase import count_records

    try:
        return own_records(count_records(url, session))
    except CountError as error:
        raise UserError(str(error)) from None


def version_of(url: str) -> str:
    """The PocketBase version that a backend says it has; empty when it does not say."""
    from clients.pocketbase import version

    try:
        return str(version(url).get("pocketbase") or "")
    except Unhealthy:
        return ""


def refuse_other_version(backup: Backup, url: str) -> None:
    """Raises Sentence when the backup was made by a PocketBase of another minor version than the one at `url`."""
    runs = version_of(url)
    if runs and backup.pocketbase and _minor(runs) != _minor(backup.pocketbase):
        raise UserError(
            f"The backup {backup.id} was made by PocketBase {backup.pocketbase}, and {runs} runs; deploy the release "
            "it came from first, then: oracle restore"
        )


def log(text: str) -> None:
    """A line for the person at the terminal; the engine shows what its hosts print on standard error."""
    print(f"data | {text}", file=sys.stderr, flush=True)


def _minor(version: str) -> list[str]:
    return version.lstrip("v").split(".")[:2]


@contextmanager
def _frozen(origin: Origin, source: Source, seconds: float, drain: float, work: str) -> Iterator[Callable[[], float]]:
    """The source refuses writes, and those that were under way have ended. Yields what is left of the freeze, in s.

    Leaving by an exception ends the freeze; leaving normally does not.
    """
    began = time.monotonic()
    try:
        freeze(origin.url, origin.login, "moving", seconds)
        log(f"{source.name} refuses writes while its data is {work}; reads go on")
        time.sleep(drain)
        yield lambda: seconds - (time.monotonic() - began)
    except AdminError as error:
        _end_freeze(origin)
        raise UserError(f"{source.name} could not be frozen: {error}") from None
    except BaseException:
        _end_freeze(origin)
        raise


def _end_freeze(origin: Origin) -> None:
    """As far as possible: what went wrong before is what counts, and the freeze ends by itself."""
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
                raise UserError(_differ(counted, copied, "The copy of the data", "the old backend"))
            _put(archive, target, platform.url(target.app_id))
    except (BackupFailed, BackupsError) as error:
        raise UserError(f"The data could not be carried: {error}") from None
    _compare(target, counted, "the old backend")
    return Migrated(counted, contents.last_write, contents.content)


def _put(archive: Path, target: Target, url: str) -> None:
    """The archive's data becomes the target's, whose admin and operator can log in afterwards."""
    from clients.pocketbase import delete_backup, restore_backup, upload_backup

    session = _session(target, url)
    try:
        delete_backup(url, session, "incoming.zip")  # of a try that ended before its restore
        upload_backup(url, session, archive, "incoming.zip")
        restore_backup(url, session, "incoming.zip")
        bootstrap(target, fresh=True)
        delete_backup(url, _session(target, url), "incoming.zip")
        _renew_replica(target)
    except (AppPlatformError, BackupFailed, ConsoleError) as error:
        raise UserError(f"The data could not be restored: {error}") from None


def _renew_replica(target: Target) -> None:
    """Where the target has a replica, it is one of the data that was put there. Raises Sentence, and as `replica`."""
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
    found = records(url, _session(target, url))
    if found != expected:
        raise UserError(_differ(expected, found, "The new backend", origin))


def _session(target: Target, url: str) -> Login:
    session = login(url, target.email, target.password)
    if session is None:
        raise UserError("The new backend refuses its admin's login; try again: pulumi up")
    return session


def _differ(expected: dict[str, int], found: dict[str, int], what: str, origin: str) -> str:
    names = sorted(name for name in expected | found if expected.get(name) != found.get(name))
    told = ", ".join(f"{name}: {expected.get(name)} there, {found.get(name)} here" for name in names)
    return f"{what} has not the records of {origin} ({told}); it gets no traffic. Try again: pulumi up"
