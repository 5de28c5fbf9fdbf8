"""The backend's data. Fills a new app before it gets traffic.

- same generation (a release, another size): migrate the data of the previous app
- another generation: leave the app empty (a wipe), or restore the backup that `restoreFrom` names (an undo)
- same app and another `restart`: back up and verify, then replace the container by an empty one

The previous app is the one that the api Worker still sends its requests to. The state does not decide: after an update
that ended halfway, it may not name the app with the data.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, UpdateResult
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
from errors import UserError
from lifecycle import replica
from lifecycle.audit_entries import Filled, record_change
from lifecycle.backend_disk import refuse_lost
from lifecycle.backup_config import BackupConfig
from lifecycle.bootstrap import Target, bootstrap
from lifecycle.clouds import Clouds
from lifecycle.context import BackendContext, MigrationPolicy, Source, Traffic, app_with_traffic
from lifecycle.data_log import log
from lifecycle.empty_check import require_empty
from lifecycle.errors import Provider
from lifecycle.migration import Migrated, migrate, replace_container, restore
from stack_outputs import WITHOUT_BACKUP

if TYPE_CHECKING:
    from storage.backups.audit_log import Kind

TARGET = tuple(field.name for field in fields(Target))


@dataclass(frozen=True, kw_only=True)
class DataArgs:
    context: BackendContext
    """The source of the data (an app with the traffic, or a backup), and the logins that the app gets."""
    app_id: pulumi.Input[str]
    """The id of the app that is filled."""
    app: pulumi.Input[str]
    """The app's name."""


@dataclass(frozen=True, kw_only=True)
class DataInputs:
    """The resource's inputs with their types."""

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
    def of(cls, props: dict[str, Any]) -> DataInputs:
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


class DataProvider(Provider):
    """Fills an app. Reads tokens from the environment at run time and stores none."""

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        changed = any(_news[key] == rpc.UNKNOWN or _olds.get(key) != _news[key] for key in ("app_id", "restart"))
        if changed:
            _log_loss(self.clouds, _olds, _news)
        return DiffResult(changes=changed or not _has_traffic(self.clouds, _olds, _news))

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_="data", outs={**props, **_fill(self.clouds, DataInputs.of(props), None)})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        inputs = DataInputs.of(_news)
        if (
            _olds["app_id"] == inputs.target.app_id
            and int(_olds["restart"]) != inputs.restart
            and _has_traffic(self.clouds, _olds, _news)
        ):
            return UpdateResult(outs={**_news, **_restart(self.clouds, inputs)})
        return UpdateResult(outs={**_news, **_fill(self.clouds, inputs, _olds["app_id"])})


class BackendData(Resource, name="BackendData"):
    """Produces `url`, the app's address, once the app has its data, and `origin`, the data's source in words."""

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


def _has_traffic(clouds: Clouds, olds: dict[str, Any], news: dict[str, Any]) -> bool:
    """Return whether the api Worker sends its requests to the filled app.

    True also if this is unknown or there is no api Worker. If False, the previous app has received writes since, and
    the data must be migrated again.
    """
    if any(news[key] == rpc.UNKNOWN for key in ("app", "app_id")) or olds.get("app") != news["app"]:
        return True
    traffic = Traffic(**news["traffic"])
    with (
        _failing("The app that gets the traffic could not be read."),
        clouds.app_platform(news["endpoint"], timeout=10) as platform,
    ):
        serving = app_with_traffic(clouds, traffic)
        return serving is None or serving == news["app"] or platform.find(serving) is None


def _fill(clouds: Clouds, inputs: DataInputs, previous: str | None) -> dict[str, Any]:
    """Fill the target. Return the resource's outputs. Raises UserError."""
    problem = "The new app could not be filled, and the data of the previous app is not changed."
    with _failing(problem), clouds.app_platform(inputs.target.endpoint) as platform:
        source = _source(clouds, platform, inputs, previous)
        url = bootstrap(platform, inputs.target, fresh=app_with_traffic(clouds, inputs.traffic) != inputs.app)
        same = source is not None and source.generation == inputs.generation
        migrated: Migrated | None = None
        if source is not None and source.running and same and not inputs.ephemeral:
            refuse_lost(platform, source, vars(inputs.target), inputs.backup_config, inputs.restore_from)
            migrated = migrate(platform, source, inputs.target, inputs.backup_config, inputs.policy)
            origin = f"migrated from {source.name}"
        elif inputs.restore_from and not same:
            migrated = restore(platform, inputs.target, inputs.backup_config, inputs.restore_from)
            origin = f"restored from {inputs.restore_from}"
        else:
            replicated = replica.is_replicated(platform.app(inputs.target.app_id), inputs.target.service)
            if replicated or (source is not None and not same):
                require_empty(platform, inputs.target, url)
            if replicated:
                replica.verify(platform, inputs.target.app_id, inputs.target.service)
            origin = "empty"
        record_change(inputs.backup_config, _kind(source, same, inputs), source, inputs.filled, migrated, None)
    return {"url": url, "origin": origin}


def _kind(source: Source | None, same: bool, inputs: DataInputs) -> Kind:
    if source is None:
        return "first"
    if same:
        return "release"
    return "restore" if inputs.restore_from else "wipe"


def _restart(clouds: Clouds, inputs: DataInputs) -> dict[str, Any]:
    problem = f"The container of {inputs.app} could not be replaced."
    with _failing(problem), clouds.app_platform(inputs.target.endpoint) as platform:
        source = Source.of(platform.app(inputs.target.app_id), inputs.target.service)
        backup = replace_container(platform, inputs.target, inputs.backup_config, inputs.policy)
        record_change(inputs.backup_config, "restart", source, inputs.filled, None, backup)
        return {"url": platform.url(inputs.target.app_id), "origin": "empty"}


def _source(clouds: Clouds, platform: AppPlatform, inputs: DataInputs, previous: str | None) -> Source | None:
    """Return the app with the data: the one with the traffic, else the one in the state, else None."""
    serving = app_with_traffic(clouds, inputs.traffic)
    app = (platform.find(serving) if serving else None) or (platform.known(previous) if previous else None)
    if app is None or app["id"] == inputs.target.app_id:
        return None
    return Source.of(app, inputs.target.service)


def _log_loss(clouds: Clouds, olds: dict[str, Any], news: dict[str, Any]) -> None:
    """Log the counts of the records that the next app will not have. Log nothing if no data is lost."""
    if int(olds["generation"]) != int(news["generation"]) and news["restore_from"]:
        log(f"generation {int(news['generation'])} starts from the backup {news['restore_from']}")
    wiped = int(olds["generation"]) != int(news["generation"]) or int(olds["restart"]) != int(news["restart"])
    if not (wiped or news["ephemeral"]):
        return
    try:
        target = Target(**{key: {**news, **olds}[key] for key in TARGET})  # an older program's state has fewer
        with clouds.app_platform(target.endpoint, timeout=10) as platform:
            app = platform.known(target.app_id)
            if app is None or not app.get("active_deployment"):
                return
            url = platform.url(target.app_id)
        session = login(url, OPERATOR, target.operator, timeout=5, seconds=0)
        session = session or login(url, target.email, str(news["password"]), timeout=5, seconds=0)
        if session is None:
            raise AdminError("its admin cannot log in")
        name = app["spec"]["name"]
        stored = (
            "No backup is taken." if os.environ.get(WITHOUT_BACKUP) == name else "A verified backup is taken first."
        )
        log(f"{name} is emptied: {_describe_loss(summarize_data(url, session))}. {stored}")
    except (AppPlatformError, AdminError, CountError):
        log("the records that are deleted cannot be counted now")


def _describe_loss(data: DataSummary) -> str:
    counts = [f"{count} {name}" for name, count in sorted(own_records(data.records).items()) if count]
    return ", ".join(counts or ["no records"]) + f"; {data.files} files; last write {data.last_write or 'never'}"


@contextmanager
def _failing(problem: str) -> Iterator[None]:
    """Raise UserError with the problem for every error of a client."""
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
        raise UserError(problem, cause=error) from None
