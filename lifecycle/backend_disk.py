"""Refuse to update a backend that lost its data: its disk is empty, and it held records before.

An update would make logins on the empty disk, migrate nothing to the next app, and back up nothing. Afterwards
everything would look correct. So the update is refused before anything changes, until somebody restores the data or
wipes the backend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    Resource,
    UpdateResult,
)

from clients.app_platform import AppPlatform
from errors import STACK, Fix, Help, UserError
from lifecycle.backup_config import BackupConfig
from lifecycle.clouds import Clouds
from lifecycle.context import BackendContext, Source, Traffic, app_with_traffic, find_app_with_traffic
from lifecycle.errors import Provider
from lifecycle.replica import is_replicated

if TYPE_CHECKING:
    from storage.backups.loss import Known, Loss

COUNTERS = ("generation", "restart")
"""Counters that a wipe, a restore and a restart raise. These operations leave the existing data behind on purpose."""
LOGINS = ("email", "password", "operator")


class DiskProvider(Provider):
    """Checks the disk in every preview and update. Reads passwords when it needs them, and does not store them."""

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Runs in every preview and update, but not in a refresh, which compares the state with itself."""
        if _olds and int(_olds["restart"]) != int(news["restart"]):
            _refuse_restart(self.clouds, news)
        if _olds and not _counters_changed(_olds, news):
            _refuse_empty_disk(self.clouds, news)
        return CheckResult(news, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=_counters_changed(_olds, _news))

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_="disk", outs={key: props[key] for key in COUNTERS})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(outs={key: _news[key] for key in COUNTERS})


class BackendDisk(Resource, name="BackendDisk"):
    """The check that runs before anything of the backend changes. Has no outputs for others."""

    def __init__(self, name: str, context: BackendContext, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {
            **{key: getattr(context.expected, key) for key in ("endpoint", "service", *LOGINS)},
            "generation": context.generation,
            "restart": context.restart,
            "restore_from": context.restore_from or "",
            "traffic": asdict(context.traffic),
            "backup_config": context.backup_config.props(),
        }
        super().__init__(DiskProvider(), name, props, opts)


def _counters_changed(olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    return any(int(olds[key]) != int(news[key]) for key in COUNTERS)


def _refuse_restart(clouds: Clouds, props: Mapping[str, Any]) -> None:
    """Raises UserError if the serving app would restore its replica on the new disk, so a restart empties nothing."""
    app = find_app_with_traffic(clouds, props["endpoint"], Traffic(**props["traffic"]))
    if app is not None and is_replicated(app, props["service"]):
        raise UserError(
            f"A new container of {app['spec']['name']} would restore the data from its replica, so oracle-net:restart "
            "would not empty it.",
            Fix(f"oracle wipe {STACK}", "to empty it"),
        )


def _refuse_empty_disk(clouds: Clouds, props: Mapping[str, Any]) -> None:
    """Raises UserError if the serving app, whose data would be migrated, lost its data."""
    serving = app_with_traffic(clouds, Traffic(**props["traffic"]))
    with clouds.app_platform(props["endpoint"], timeout=10) as platform:
        app = platform.find(serving) if serving else None
        if serving and app is None:
            _refuse_gone(serving, props)
        source = Source.of(app, props["service"]) if app else None
        if source is not None and source.running and source.generation == int(props["generation"]):
            refuse_lost(platform, source, props, BackupConfig.of(props["backup_config"]), props["restore_from"])


def _refuse_gone(app: str, props: Mapping[str, Any]) -> None:
    """Raises UserError if the deleted app held records: the next app would start without them."""
    from storage.backups.loss import last_known

    backup_config = BackupConfig.of(props["backup_config"])
    store = (backup_config.audit_log(), backup_config.catalog())
    known = last_known(app, int(props["generation"]), *store, props["restore_from"] or None)
    if known is not None and known.records:
        raise UserError(
            f"The app {app} was deleted with its data: {known.summary}. Nothing was changed.", *_ways_back(known)
        )


def _ways_back(known: Known) -> tuple[Help, Help]:
    return known.recovery, Fix(f"oracle wipe {STACK}", "to go on with an empty backend")


def refuse_lost(
    platform: AppPlatform, source: Source, props: Mapping[str, Any], backup_config: BackupConfig, restored: str
) -> None:
    """Raises UserError if the app held records and its disk is not the one that the program filled.

    `props` has the logins. Raises AppPlatformError.
    """
    loss = find_lost(platform, source, props, backup_config, restored)
    if loss is not None:
        none = "" if loss.known.backup else " No stored backup has its records."
        raise UserError(f"{loss.summary}. Nothing was changed.{none}", *_ways_back(loss.known))


def find_lost(
    platform: AppPlatform, source: Source, props: Mapping[str, Any], backup_config: BackupConfig, restored: str
) -> Loss | None:
    """Return what the app lost, if it held records. `props` has the logins.

    None also if the app does not answer: an update may repair it. Raises AppPlatformError, and UserError if the store
    cannot be read.
    """
    from clients.pocketbase import AdminError, CountError
    from storage.backups.loss import Logins, find_loss

    logins = Logins(**{key: str(props[key]) for key in LOGINS})
    try:
        url = platform.url(source.app_id)
        loss = find_loss(url, logins, source.name, backup_config.audit_log(), backup_config.catalog(), restored or None)
    except (AdminError, CountError):
        return None
    return loss if loss is not None and loss.known.records else None
