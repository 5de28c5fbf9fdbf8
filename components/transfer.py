"""What happens to the data on its way from one app to the next: carried, restored from a backup, or left behind.

Until the api Worker has moved, the old app has all the data, and serves every read. Only writes are refused meanwhile
("hold"), so that none is acknowledged by a backend whose data has been copied already.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appplatform import AppPlatform, AppPlatformError, ConsoleError, Deployment, variable
from components.bootstrap import Expected, Target, bootstrap, prove_admin
from components.custody import Custody, scratch
from components.dynamic import Sentence
from components.naming import BACKEND_VARIABLE, GENERATION_VARIABLE, RELEASE_VARIABLE, worker_url
from pocketbase import AdminError, BackupFailed, CountError, Login, Unhealthy, census, login

if TYPE_CHECKING:
    import pulumi

    from backups import Backup
    from backups.manifest import Reason
    from settings import Settings
    from workersapi import WriteHold

TRIES = 3
MADE_BY_HAND = 1
LEAST_SECONDS = 20.0
"""What must be left of a hold for the api Worker to be moved before it ends."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The api Worker, which knows by a plain binding whose traffic it carries."""

    endpoint: str
    """Cloudflare's API with its whole prefix."""
    account: str
    script: str
    url: str


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
        )


@dataclass(frozen=True)
class Carried:
    """What an app starts with: records by collection, and when the newest of them was written."""

    records: dict[str, int]
    last_write: str | None


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How careful a transfer is, in seconds."""

    drain: float
    hold: float


@dataclass(frozen=True, kw_only=True)
class Care:
    """What is needed to look after the backend's data."""

    expected: Expected
    traffic: Traffic
    policy: Policy
    custody: Custody
    generation: int
    restore_from: str | None
    restart: int
    ephemeral: bool
    locked: bool
    """Whether the stack keeps its backend, whoever asks for its deletion; a successor may still replace it."""

    @classmethod
    def of(cls, settings: Settings, digest: str, password: pulumi.Output[str]) -> Care:
        from settings import cloudflare_endpoint, revealed

        api = settings.api
        url = worker_url(settings.workers_url, api.script, api.domain.hostname if api.domain else None)
        return cls(
            expected=Expected.of(settings, digest, password),
            traffic=Traffic(endpoint=cloudflare_endpoint(), account=settings.account_id, script=api.script, url=url),
            policy=Policy(drain=settings.drain_seconds, hold=settings.hold_seconds),
            custody=Custody.of_settings(settings, revealed(settings.backup_key)),
            generation=settings.generation,
            restore_from=settings.restore_from,
            restart=settings.restart,
            ephemeral=settings.data == "ephemeral",
            locked=settings.locked,
        )


def served(traffic: Traffic) -> str | None:
    """The name of the app that the api Worker sends its requests to; None when there is no api Worker or it is older
    than this program.
    """
    from workersapi import Workers

    with Workers(traffic.endpoint, traffic.account) as workers:
        found = (workers.bindings(traffic.script) or {}).get(BACKEND_VARIABLE) or {}
    return str(found["text"]) if found.get("text") else None


def carry(platform: AppPlatform, source: Source, target: Target, traffic: Traffic, policy: Policy) -> Carried:
    """Makes the target's data the source's; returns what was carried. Writes stay on hold afterwards, until
    the api Worker is moved. Raises Sentence; then the hold is over and nothing has changed for anybody.
    """
    with _hold(traffic, policy) as hold:
        tell(f"writes are on hold while the data of {source.name} is carried" if hold.held else "carrying the data")
        origin = as_of(platform, source, target)
        for _ in range(TRIES):
            carried = _look(origin)
            _copy(platform, origin, target)
            if _look(origin) == carried:
                break
        else:
            raise Sentence(
                f"{source.name} is written to while its data is carried, past the API; stop that, then: pulumi up"
            )
        if hold.held and hold.left() < LEAST_SECONDS:
            raise Sentence(
                "Carrying the data took longer than writes may be held; give it more seconds: "
                "pulumi config set oracle-net:holdSeconds NUMBER, then: pulumi up"
            )
    tell(f"carried {sum(carried.records.values())} records")
    return carried


def restore(target: Target, custody: Custody, backup: str) -> Carried:
    """Makes the target's data the backup's; returns what it is. Raises Sentence."""
    from backups import BackupsError

    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        archive = Path(folder) / "backup.zip"
        try:
            kept = custody.shelf().fetch(backup, archive)
        except BackupsError as error:
            raise Sentence(str(error)) from None
        with AppPlatform(target.endpoint) as platform:
            url = platform.url(target.app_id)
        refuse_other_version(kept, url)
        _put(archive, target, url)
    expected = {name: count for name, count in kept.records.items() if not name.startswith("_")}
    _compare(target, expected, f"the backup {backup}")
    tell(f"restored {sum(expected.values())} records from {backup}")
    return Carried(expected, kept.last_write)


def fresh_disk(platform: AppPlatform, target: Target, custody: Custody, traffic: Traffic, policy: Policy) -> Backup:
    """Gives the app that runs another container with an empty disk; returns the verified backup that was taken before,
    while writes were on hold. Raises Sentence.
    """
    source = Source.of(platform.app(target.app_id), target.service)
    with _hold(traffic, policy) as hold:
        backup = keep(platform, source, target, custody, "restart")
        deployment = platform.restart(target.app_id)
        platform.wait(target.app_id, deployment.id, 1800)
        bootstrap(target)
        if hold.held:
            hold.release()
    return backup


def keep(platform: AppPlatform, source: Source, admin: Target, custody: Custody, reason: Reason) -> Backup:
    """A verified backup of a running app. Raises Sentence."""
    from backups import About, BackupsError, take

    origin = as_of(platform, source, admin)
    about = About(
        stack=custody.label,
        app=source.name,
        generation=source.generation,
        release=source.release or "",
        pocketbase=version_of(origin.url),
        reason=reason,
    )
    try:
        backup = take(origin.url, origin.login, custody.shelf(), about)
    except (BackupsError, BackupFailed, CountError) as error:
        raise Sentence(f"{source.name} is not touched, since its backup failed: {error}") from None
    own = sum(count for name, count in backup.records.items() if not name.startswith("_"))
    tell(f"backup {backup.id}: {own} records, {backup.files} files, verified")
    return backup


@dataclass(frozen=True)
class Origin:
    url: str
    login: Login


def as_of(platform: AppPlatform, source: Source, admin: Target) -> Origin:
    """A session of the source's superuser. An app of before may know another password; its console sets this one."""
    there = Target(**{**vars(admin), "app_id": source.app_id})
    try:
        url = prove_admin(platform, there)
        session = login(url, admin.email, admin.password)
    except (AppPlatformError, AdminError, ConsoleError, Unhealthy) as error:
        raise Sentence(f"The data of {source.name} cannot be read: {error}") from None
    if session is None:
        raise Sentence(f"{source.name} refuses its admin's login; try again: pulumi up")
    return Origin(url, session)


def records(url: str, session: Login) -> dict[str, int]:
    """Records by collection, without PocketBase's own collections, which change at every login."""
    from pocketbase import count_records

    try:
        counted = count_records(url, session)
    except CountError as error:
        raise Sentence(str(error)) from None
    return {name: count for name, count in counted.items() if not name.startswith("_")}


def version_of(url: str) -> str:
    """The PocketBase version that a backend says it has; empty when it does not say."""
    from pocketbase import version

    try:
        return str(version(url).get("pocketbase") or "")
    except Unhealthy:
        return ""


def refuse_other_version(backup: Backup, url: str) -> None:
    """Raises Sentence when the backup was made by a PocketBase of another minor version than the one at `url`."""
    runs = version_of(url)
    if runs and backup.pocketbase and _minor(runs) != _minor(backup.pocketbase):
        raise Sentence(
            f"The backup {backup.id} was made by PocketBase {backup.pocketbase}, and {runs} runs; deploy the release "
            "it came from first, then: oracle restore"
        )


def tell(text: str) -> None:
    """A line for the person at the terminal; the engine shows what its hosts print on standard error."""
    print(f"data | {text}", file=sys.stderr, flush=True)


def _minor(version: str) -> list[str]:
    return version.lstrip("v").split(".")[:2]


@contextmanager
def _hold(traffic: Traffic, policy: Policy) -> Iterator[WriteHold]:
    from workersapi import Workers, WriteHold

    with (
        Workers(traffic.endpoint, traffic.account) as workers,
        WriteHold(workers, traffic.script, policy.hold, url=traffic.url, settle=policy.drain) as hold,
    ):
        yield hold


def _look(origin: Origin) -> Carried:
    """What tells whether somebody has written: how many records there are, and when the last one was written."""
    try:
        found = census(origin.url, origin.login)
    except CountError as error:
        raise Sentence(str(error)) from None
    return Carried({name: count for name, count in found.records.items() if not name.startswith("_")}, found.last_write)


def _copy(platform: AppPlatform, origin: Origin, target: Target) -> None:
    from pocketbase import create_backup, delete_backup, download_backup

    name = f"carried-{int(time.time())}.zip"
    counted = records(origin.url, origin.login)
    try:
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            archive = Path(folder) / name
            create_backup(origin.url, origin.login, name)
            download_backup(origin.url, origin.login, name, archive)
            delete_backup(origin.url, origin.login, name)
            _put(archive, target, platform.url(target.app_id))
    except BackupFailed as error:
        raise Sentence(f"The data could not be carried: {error}") from None
    _compare(target, counted, "the old backend")


def _put(archive: Path, target: Target, url: str) -> None:
    """The archive's data becomes the target's, whose admin can log in afterwards."""
    from pocketbase import delete_backup, restore_backup, upload_backup

    session = login(url, target.email, target.password)
    if session is None:
        raise Sentence("The new backend refuses its admin's login; try again: pulumi up")
    try:
        delete_backup(url, session, "incoming.zip")  # of a try that ended before its restore
        upload_backup(url, session, archive, "incoming.zip")
        restore_backup(url, session, "incoming.zip")
        bootstrap(target)
        if after := login(url, target.email, target.password):
            delete_backup(url, after, "incoming.zip")
    except BackupFailed as error:
        raise Sentence(f"The data could not be restored: {error}") from None


def _compare(target: Target, expected: dict[str, int], origin: str) -> None:
    with AppPlatform(target.endpoint) as platform:
        url = platform.url(target.app_id)
    session = login(url, target.email, target.password)
    if session is None:
        raise Sentence("The new backend refuses its admin's login; try again: pulumi up")
    found = records(url, session)
    if found != expected:
        differ = {
            name: (expected.get(name), found.get(name))
            for name in expected | found
            if expected.get(name) != found.get(name)
        }
        raise Sentence(
            f"The new backend has not the records of {origin} "
            f"({', '.join(f'{name}: {then} there, {now} here' for name, (then, now) in sorted(differ.items()))}); "
            "it gets no traffic. Try again: pulumi up"
        )
