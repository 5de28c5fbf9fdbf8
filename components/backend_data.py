"""The backend's data: fills a new app before any traffic reaches it.

- the same generation (a release, another size): the data of the app before, carried
- another generation: nothing (the wipe), or the backup that `restoreFrom` names (the undo)
- the same app and another `restart`: nothing; its container is replaced after a verified backup

The app before is the one that the api Worker still sends its requests to: an update that ended halfway is taken up
where the data is, not where the state thinks that it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult
from pulumi.runtime import rpc

from clients.app_platform import AppPlatform, AppPlatformError, ConsoleError
from clients.pocketbase import (
    OPERATOR,
    AdminError,
    BackupFailed,
    CountError,
    DataSummary,
    Unhealthy,
    login,
    own_records,
    summarize_data,
)
from lifecycle import replica
from lifecycle.audit_entries import Filled, record_change
from lifecycle.backend_disk import refuse_lost
from lifecycle.backup_config import BackupConfig
from lifecycle.bootstrap import Target, bootstrap
from lifecycle.empty_check import require_empty
from lifecycle.errors import UserError, show_errors_as_text
from lifecycle.migration import (
    BackendContext,
    Migrated,
    MigrationPolicy,
    Source,
    Traffic,
    app_with_traffic,
    log,
    migrate,
    replace_container,
    restore,
)
from stack_outputs import WITHOUT_BACKUP

if TYPE_CHECKING:
    from storage.backups.audit_log import Kind

TARGET = tuple(field.name for field in fields(Target))


@dataclass(frozen=True, kw_only=True)
class DataArgs:
    context: BackendContext
    app_id: pulumi.Input[str]
    app: pulumi.Input[str]
    """The app's name."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A resource's properties with their types."""

    target: Target
    generation: int
    app: str
    restore_from: str
    ephemeral: bool
    restart: int
    traffic: Traffic
    policy: MigrationPolicy
    backup_config: BackupConfig

    @property
    def filled(self) -> Filled:
        return Filled(self.app, self.target.app_id, self.generation, self.target.release)

    @classmethod
    def of(cls, props: dict[str, Any]) -> Wanted:
        return cls(
            target=Target(**{key: props[key] for key in TARGET}),
            generation=int(props["generation"]),
            app=props["app"],
            restore_from=props["restore_from"],
            ephemeral=props["ephemeral"],
            restart=int(props["restart"]),
            traffic=Traffic(**props["traffic"]),
            policy=MigrationPolicy(**props["policy"]),
            backup_config=BackupConfig.of(props["backup_config"]),
        )


class DataProvider(ResourceProvider):
    """Fills an app. Tokens are read from the environment at run time and never kept."""

    serialize_as_secret_always = False

    def configure(self, _req: ConfigureRequest) -> None:
        show_errors_as_text()

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        changed = any(_news[key] == rpc.UNKNOWN or _olds.get(key) != _news[key] for key in ("app_id", "restart"))
        if changed:
            _announce(_olds, _news)
        return DiffResult(changes=changed or not _arrived(_olds, _news))

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_="data", outs={**props, **_filled(Wanted.of(props), None)})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        wanted = Wanted.of(_news)
        if (
            _olds["app_id"] == wanted.target.app_id
            and int(_olds["restart"]) != wanted.restart
            and _arrived(_olds, _news)
        ):
            return UpdateResult(outs={**_news, **_restarted(wanted)})
        return UpdateResult(outs={**_news, **_filled(wanted, _olds["app_id"])})


class BackendData(Resource, name="BackendData"):
    """Produces `url`, the app's address, once its data is there, and `origin`, in words where the data came from."""

    url: pulumi.Output[str]
    origin: pulumi.Output[str]

    def __init__(self, name: str, args: DataArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        context = args.context
        props = {
            **vars(context.expected),
            "app_id": args.app_id,
            "app": args.app,
            "generation": context.generation,
            "restore_from": context.restore_from or "",
            "ephemeral": context.ephemeral,
            "restart": context.restart,
            "traffic": asdict(context.traffic),
            "policy": asdict(context.policy),
            "backup_config": context.backup_config.props(),
            "url": None,
            "origin": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["password", "operator", "backup_config"])
        super().__init__(DataProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))


def _arrived(olds: dict[str, Any], news: dict[str, Any]) -> bool:
    """Whether the api Worker has moved to the app that was filled; True when that cannot be seen, or there is none.

    When it has not, writes have gone to the app before since, and the data must be carried again.
    """
    if any(news[key] == rpc.UNKNOWN for key in ("app", "app_id")) or olds.get("app") != news["app"]:
        return True
    traffic = Traffic(**news["traffic"])
    with _sentences(), AppPlatform(news["endpoint"], timeout=10) as platform:
        at = app_with_traffic(traffic)
        return at is None or at == news["app"] or platform.find(at) is None


def _filled(wanted: Wanted, before: str | None) -> dict[str, Any]:
    """Fills the target; returns what the resource produces. Raises Sentence."""
    with _sentences(), AppPlatform(wanted.target.endpoint) as platform:
        source = _source(platform, wanted, before)
        url = bootstrap(wanted.target, fresh=app_with_traffic(wanted.traffic) != wanted.app)
        same = source is not None and source.generation == wanted.generation
        carried: Migrated | None = None
        if source is not None and source.running and same and not wanted.ephemeral:
            refuse_lost(platform, source, vars(wanted.target), wanted.backup_config, wanted.restore_from)
            carried = migrate(platform, source, wanted.target, wanted.backup_config, wanted.policy)
            origin = f"carried from {source.name}"
        elif wanted.restore_from and not same:
            carried = restore(wanted.target, wanted.backup_config, wanted.restore_from)
            origin = f"restored from {wanted.restore_from}"
        else:
            replicated = replica.is_replicated(platform.app(wanted.target.app_id), wanted.target.service)
            if replicated or (source is not None and not same):
                require_empty(platform, wanted.target, url)
            if replicated:
                replica.verify(platform, wanted.target.app_id, wanted.target.service)
            origin = "empty"
        record_change(wanted.backup_config, _kind(source, same, wanted), source, wanted.filled, carried, None)
    return {"url": url, "origin": origin}


def _kind(source: Source | None, same: bool, wanted: Wanted) -> Kind:
    if source is None:
        return "first"
    if same:
        return "release"
    return "restore" if wanted.restore_from else "wipe"


def _restarted(wanted: Wanted) -> dict[str, Any]:
    with _sentences(), AppPlatform(wanted.target.endpoint) as platform:
        source = Source.of(platform.app(wanted.target.app_id), wanted.target.service)
        backup = replace_container(platform, wanted.target, wanted.backup_config, wanted.policy)
        record_change(wanted.backup_config, "restart", source, wanted.filled, None, backup)
        return {"url": platform.url(wanted.target.app_id), "origin": "empty"}


def _source(platform: AppPlatform, wanted: Wanted, before: str | None) -> Source | None:
    """The app that has the data: the one with the traffic, or the one that the state knows; None when there is none."""
    at = app_with_traffic(wanted.traffic)
    app = (platform.find(at) if at else None) or (platform.known(before) if before else None)
    if app is None or app["id"] == wanted.target.app_id:
        return None
    return Source.of(app, wanted.target.service)


def _announce(olds: dict[str, Any], news: dict[str, Any]) -> None:
    """Says in numbers what the app before has and the next one will not have; silent when nothing is lost."""
    if int(olds["generation"]) != int(news["generation"]) and news["restore_from"]:
        log(f"generation {int(news['generation'])} starts from the backup {news['restore_from']}")
    wiped = int(olds["generation"]) != int(news["generation"]) or int(olds["restart"]) != int(news["restart"])
    if not (wiped or news["ephemeral"]):
        return
    try:
        target = Target(**{key: {**news, **olds}[key] for key in TARGET})  # an older program's state has fewer
        with AppPlatform(target.endpoint, timeout=10) as platform:
            app = platform.known(target.app_id)
            if app is None or not app.get("active_deployment"):
                return
            url = platform.url(target.app_id)
        session = login(url, OPERATOR, target.operator, timeout=5, seconds=0)
        session = session or login(url, target.email, str(news["password"]), timeout=5, seconds=0)
        if session is None:
            raise AdminError("its admin cannot log in")
        name = app["spec"]["name"]
        after = "Nothing of it is kept." if os.environ.get(WITHOUT_BACKUP) == name else "A verified backup is kept."
        log(f"{name} is emptied: {_loss(summarize_data(url, session))}. {after}")
    except (AppPlatformError, AdminError, CountError):
        log("what the backend holds cannot be counted now")


def _loss(found: DataSummary) -> str:
    named = [f"{count} {name}" for name, count in sorted(own_records(found.records).items()) if count]
    return ", ".join(named or ["no records"]) + f"; {found.files} files; last write {found.last_write or 'never'}"


@contextmanager
def _sentences() -> Iterator[None]:
    from clients.workers_api import WorkersApiError

    try:
        yield
    except (
        AppPlatformError,
        WorkersApiError,
        AdminError,
        Unhealthy,
        BackupFailed,
        ConsoleError,
        CountError,
    ) as error:
        raise UserError(f"The backend's data is where it was: {error}") from None
