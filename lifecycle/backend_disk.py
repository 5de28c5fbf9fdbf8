"""Refuse to go on over a backend whose disk is empty although it held records.

An update would make its logins on the empty disk, carry nothing to the next app, and keep a backup of nothing: from
then on all would look well. So it is refused before anything changes, until somebody restores the data or wipes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from clients.app_platform import AppPlatform, AppPlatformError
from lifecycle.backup_config import BackupConfig
from lifecycle.errors import UserError, show_errors_as_text
from lifecycle.migration import BackendContext, Source, Traffic, app_with_traffic, find_app_with_traffic
from lifecycle.replica import is_replicated

if TYPE_CHECKING:
    from storage.backups.loss import Loss

BEGUN = ("generation", "restart")
"""Raised by a wipe, a restore and a restart, which leave the data that is there behind on purpose."""
LOGINS = ("email", "password", "operator")


class DiskProvider(ResourceProvider):
    """Looks at the disk in every preview and update. Passwords are read when they are needed, and not kept."""

    serialize_as_secret_always = False

    def configure(self, _req: ConfigureRequest) -> None:
        show_errors_as_text()

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In every preview and update, and in no refresh, which compares the state with itself."""
        if _olds and int(_olds["restart"]) != int(news["restart"]):
            _refuse_restart(news)
        if _olds and not _begun(_olds, news):
            refuse_empty_disk(news)
        return CheckResult(news, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=_begun(_olds, _news))

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_="disk", outs={key: props[key] for key in BEGUN})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(outs={key: _news[key] for key in BEGUN})


class BackendDisk(Resource, name="BackendDisk"):
    """Comes before everything of the backend that changes. Produces nothing that others use."""

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


def _begun(olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    return any(int(olds[key]) != int(news[key]) for key in BEGUN)


def _refuse_restart(props: Mapping[str, Any]) -> None:
    """Raises Sentence where the app with the traffic would fill its new disk from its replica: nothing is emptied."""
    app = find_app_with_traffic(props["endpoint"], Traffic(**props["traffic"]))
    if app is not None and is_replicated(app, props["service"]):
        stack = BackupConfig.of(props["backup_config"]).owner.stack
        raise UserError(
            f"A new container of {app['spec']['name']} would restore the data from its replica, so oracle-net:restart "
            f"empties nothing. To have it empty: oracle wipe {stack}"
        )


def refuse_empty_disk(props: Mapping[str, Any]) -> None:
    """Raises Sentence where the app with the traffic, whose data would be carried, has lost its data."""
    from clients.workers_api import WorkersApiError

    try:
        at = app_with_traffic(Traffic(**props["traffic"]))
        with AppPlatform(props["endpoint"], timeout=10) as platform:
            app = platform.find(at) if at else None
            if at and app is None:
                _refuse_gone(at, props)
            source = Source.of(app, props["service"]) if app else None
            if source is not None and source.running and source.generation == int(props["generation"]):
                refuse_lost(platform, source, props, BackupConfig.of(props["backup_config"]), props["restore_from"])
    except (AppPlatformError, WorkersApiError) as error:
        raise UserError(str(error)) from None


def _refuse_gone(app: str, props: Mapping[str, Any]) -> None:
    """Raises Sentence where the deleted app held records: the next one would begin without them."""
    from storage.backups import BackupsError
    from storage.backups.loss import last_known

    backup_config = BackupConfig.of(props["backup_config"])
    stack = backup_config.owner.stack
    try:
        store = (backup_config.audit_log(), backup_config.catalog())
        known = last_known(app, int(props["generation"]), *store, props["restore_from"] or None)
    except BackupsError as error:
        raise UserError(str(error)) from None
    if known is not None and known.records:
        raise UserError(
            f"The app {app} is gone, and {known.summary} went with it. Nothing was changed. To have them back: "
            f"{known.way_back(stack)}; to go on with an empty one on purpose: oracle wipe {stack}"
        )


def refuse_lost(
    platform: AppPlatform, source: Source, props: Mapping[str, Any], backup_config: BackupConfig, restored: str
) -> None:
    """Raises Sentence where the app's disk is not the one that was filled, and held records. `props` has the logins.

    Raises AppPlatformError.
    """
    found = find_lost(platform, source, props, backup_config, restored)
    if found is not None:
        stack = backup_config.owner.stack
        none = "" if found.known.backup else " No backup that is kept has them."
        raise UserError(
            f"{found.summary}. Nothing was changed.{none} To have them back: {found.way_back(stack)}; to go on with "
            f"the empty one on purpose: oracle wipe {stack}"
        )


def find_lost(
    platform: AppPlatform, source: Source, props: Mapping[str, Any], backup_config: BackupConfig, restored: str
) -> Loss | None:
    """What the app has lost, if it held records; `props` has the logins.

    None also where it does not answer: an update may be what it needs. Raises AppPlatformError, and Sentence where the
    store does not tell.
    """
    from clients.pocketbase import AdminError, CountError
    from storage.backups import BackupsError
    from storage.backups.loss import Logins, find_loss

    logins = Logins(**{key: str(props[key]) for key in LOGINS})
    try:
        url = platform.url(source.app_id)
        found = find_loss(
            url, logins, source.name, backup_config.audit_log(), backup_config.catalog(), restored or None
        )
    except (AdminError, CountError):
        return None
    except BackupsError as error:
        raise UserError(str(error)) from None
    return found if found is not None and found.known.records else None
