"""Migrate the data from one app to its successor, or restore it from a backup.

Until the api Worker has moved, the old app has all data and serves every read. During the migration the old backend
itself refuses writes (pocketbase.freeze), so it acknowledges no write that the copy does not have, no matter how the
write arrives. If the api Worker does not move, the freeze expires, and the copy is not used.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clients.app_platform import AppPlatform, AppPlatformError, ConsoleError
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
from errors import First, Remedy, SetKey, UserError
from lifecycle import replica
from lifecycle.backup_config import BackupConfig
from lifecycle.bootstrap import Target, bootstrap, make_logins
from lifecycle.context import MigrationPolicy, Source
from lifecycle.data_log import log
from lifecycle.ownership import refuse_other
from lifecycle.pocketbase_version import refuse_other_version, version_of

if TYPE_CHECKING:
    from storage.backups import Backup
    from storage.backups.manifest import Reason

RESTART_SECONDS = 1800.0
LONGEST_FREEZE = 7200
"""The limit of `writeFreezeSeconds`, in seconds."""
MOVE_SHARE = 3
"""1/MOVE_SHARE of the freeze must be left after the copy, so that the api Worker can be moved in that time."""


@dataclass(frozen=True)
class Migrated:
    """The data that an app starts with: record counts and digests by collection, and the time of the last write."""

    records: dict[str, int]
    last_write: str | None
    content: dict[str, str] = field(default_factory=dict)


def migrate(
    platform: AppPlatform, source: Source, target: Target, backup_config: BackupConfig, policy: MigrationPolicy
) -> Migrated:
    """Replace the target's data by the source's. Return a summary of the migrated data.

    Afterwards the source refuses writes, until the freeze's end at the latest. Raises UserError; then the source
    accepts writes again.
    """
    origin = session_of(platform, source, target)
    with _frozen(origin, source, policy.freeze, policy.drain, "migrated") as left:
        migrated = _copy(platform, origin, target, backup_config.scratch())
        if left() < policy.freeze / MOVE_SHARE:
            longer = str(min(int(policy.freeze * 2), LONGEST_FREEZE))
            raise UserError(
                f"The migration of {source.name} took too long for oracle-net:writeFreezeSeconds, so {source.name} "
                "accepts writes again and traffic was not switched.",
                SetKey("oracle-net:writeFreezeSeconds", longer, then=Remedy.RETRY),
            )
    log(f"migrated {sum(migrated.records.values())} records")
    return migrated


def restore(platform: AppPlatform, target: Target, backup_config: BackupConfig, backup: str) -> Migrated:
    """Replace the target's data by the backup's. Return a summary of it. Raises UserError."""
    with tempfile.TemporaryDirectory(dir=backup_config.scratch()) as folder:
        archive = Path(folder) / "backup.zip"
        restored = backup_config.catalog().fetch(backup, archive)
        refuse_other_version(restored, platform.url(target.app_id))
        restore_archive(platform, archive, target)
    expected = own_records(restored.records)
    _compare(platform, target, expected, f"the backup {backup}")
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
    bootstrap(platform, target, fresh=True)
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
        raise UserError(f"{source.name} was not changed, because its backup failed.", cause=error) from None
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
        raise UserError(f"The data of {source.name} cannot be read.", cause=error) from None
    if session is None:
        raise UserError(f"{source.name} refuses the login of {OPERATOR}, which was created just now.", Remedy.RETRY)
    return Origin(url, session)


def records(url: str, session: Login) -> dict[str, int]:
    """Return record counts by collection, without PocketBase's own collections. Raises CountError."""
    from clients.pocketbase import count_records

    return own_records(count_records(url, session))


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
        raise UserError(f"{source.name} could not be frozen.", cause=error) from None
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

    name = f"migration-{int(time.time())}.zip"
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
                raise _mismatch(counted, copied, "copy", "the old backend")
            restore_archive(platform, archive, target)
    except (BackupFailed, BackupsError) as error:
        raise UserError("The data could not be migrated.", cause=error) from None
    _compare(platform, target, counted, "the old backend")
    return Migrated(counted, contents.last_write, contents.content)


def restore_archive(platform: AppPlatform, archive: Path, target: Target) -> None:
    """Replace the target's data by the archive's, then make the admin's and the operator's logins work.

    Raises UserError.
    """
    from clients.pocketbase import delete_backup, restore_backup, upload_backup

    url = platform.url(target.app_id)
    session = _session(target, url)
    try:
        delete_backup(url, session, "incoming.zip")  # left by an attempt that ended before its restore
        upload_backup(url, session, archive, "incoming.zip")
        restore_backup(url, session, "incoming.zip")
        bootstrap(platform, target, fresh=True)
        delete_backup(url, _session(target, url), "incoming.zip")
        _renew_replica(platform, target)
    except (AppPlatformError, BackupFailed, ConsoleError) as error:
        raise UserError("The data could not be restored.", cause=error) from None


def _renew_replica(platform: AppPlatform, target: Target) -> None:
    """Restart the target's replica, if it has one, so that it has the restored data, and verify it.

    Raises UserError, and the errors of `replica`.
    """
    if not replica.is_replicated(platform.app(target.app_id), target.service):
        return
    replica.start_anew(platform, target.app_id, target.service)
    bootstrap(platform, target, fresh=True)
    replica.verify(platform, target.app_id, target.service)
    log("the replica has this data: it was restored once to verify it")


def _compare(platform: AppPlatform, target: Target, expected: dict[str, int], origin: str) -> None:
    url = platform.url(target.app_id)
    actual = records(url, _session(target, url))
    if actual != expected:
        raise _mismatch(expected, actual, "new backend", origin)


def _session(target: Target, url: str) -> Login:
    session = login(url, target.email, target.password)
    if session is None:
        raise UserError("The new backend refuses its admin's login.", Remedy.RETRY)
    return session


def _mismatch(expected: dict[str, int], actual: dict[str, int], copy: str, origin: str) -> UserError:
    names = sorted(name for name in expected | actual if expected.get(name) != actual.get(name))
    counts = ", ".join(f"{name}: {actual.get(name, 0)} instead of {expected.get(name, 0)}" for name in names)
    return UserError(
        f"The {copy}'s record counts do not match {origin} ({counts}), so traffic was not switched.",
        First("stop the writer", Remedy.RETRY),
    )
