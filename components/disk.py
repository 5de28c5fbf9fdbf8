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

from appplatform import AppPlatform, AppPlatformError
from components.custody import Custody
from components.dynamic import Sentence, show_sentences
from components.replica import is_replicated
from components.transfer import Care, Source, Traffic, served, serving_app

if TYPE_CHECKING:
    from backups.loss import Loss

BEGUN = ("generation", "restart")
"""Raised by a wipe, a restore and a restart, which leave the data that is there behind on purpose."""
LOGINS = ("email", "password", "operator")


class DiskProvider(ResourceProvider):
    """Looks at the disk in every preview and update. Passwords are read when they are needed, and not kept."""

    serialize_as_secret_always = False

    def configure(self, _req: ConfigureRequest) -> None:
        show_sentences()

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

    def __init__(self, name: str, care: Care, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {
            **{key: getattr(care.expected, key) for key in ("endpoint", "service", *LOGINS)},
            "generation": care.generation,
            "restart": care.restart,
            "restore_from": care.restore_from or "",
            "traffic": asdict(care.traffic),
            "custody": care.custody.props(),
        }
        super().__init__(DiskProvider(), name, props, opts)


def _begun(olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    return any(int(olds[key]) != int(news[key]) for key in BEGUN)


def _refuse_restart(props: Mapping[str, Any]) -> None:
    """Raises Sentence where the app with the traffic would fill its new disk from its replica: nothing is emptied."""
    app = serving_app(props["endpoint"], Traffic(**props["traffic"]))
    if app is not None and is_replicated(app, props["service"]):
        stack = Custody.of(props["custody"]).owner.stack
        raise Sentence(
            f"A new container of {app['spec']['name']} would restore the data from its replica, so oracle-net:restart "
            f"empties nothing. To have it empty: oracle wipe {stack}"
        )


def refuse_empty_disk(props: Mapping[str, Any]) -> None:
    """Raises Sentence where the app with the traffic, whose data would be carried, has lost its data."""
    from workersapi import WorkersApiError

    try:
        at = served(Traffic(**props["traffic"]))
        with AppPlatform(props["endpoint"], timeout=10) as platform:
            app = platform.find(at) if at else None
            if at and app is None:
                _refuse_gone(at, props)
            source = Source.of(app, props["service"]) if app else None
            if source is not None and source.running and source.generation == int(props["generation"]):
                refuse_lost(platform, source, props, Custody.of(props["custody"]), props["restore_from"])
    except (AppPlatformError, WorkersApiError) as error:
        raise Sentence(str(error)) from None


def _refuse_gone(app: str, props: Mapping[str, Any]) -> None:
    """Raises Sentence where the deleted app held records: the next one would begin without them."""
    from backups import BackupsError
    from backups.loss import last_known

    custody = Custody.of(props["custody"])
    stack = custody.owner.stack
    try:
        store = (custody.ledger(), custody.shelf())
        known = last_known(app, int(props["generation"]), *store, props["restore_from"] or None)
    except BackupsError as error:
        raise Sentence(str(error)) from None
    if known is not None and known.records:
        raise Sentence(
            f"The app {app} is gone, and {known.summary} went with it. Nothing was changed. To have them back: "
            f"{known.way_back(stack)}; to go on with an empty one on purpose: oracle wipe {stack}"
        )


def refuse_lost(
    platform: AppPlatform, source: Source, props: Mapping[str, Any], custody: Custody, restored: str
) -> None:
    """Raises Sentence where the app's disk is not the one that was filled, and held records. `props` has the logins.

    Raises AppPlatformError.
    """
    found = find_lost(platform, source, props, custody, restored)
    if found is not None:
        stack = custody.owner.stack
        none = "" if found.known.backup else " No backup that is kept has them."
        raise Sentence(
            f"{found.summary}. Nothing was changed.{none} To have them back: {found.way_back(stack)}; to go on with "
            f"the empty one on purpose: oracle wipe {stack}"
        )


def find_lost(
    platform: AppPlatform, source: Source, props: Mapping[str, Any], custody: Custody, restored: str
) -> Loss | None:
    """What the app has lost, if it held records; `props` has the logins.

    None also where it does not answer: an update may be what it needs. Raises AppPlatformError, and Sentence where the
    store does not tell.
    """
    from backups import BackupsError
    from backups.loss import Logins, find_loss
    from pocketbase import AdminError, CountError

    logins = Logins(**{key: str(props[key]) for key in LOGINS})
    try:
        url = platform.url(source.app_id)
        found = find_loss(url, logins, source.name, custody.ledger(), custody.shelf(), restored or None)
    except (AdminError, CountError):
        return None
    except BackupsError as error:
        raise Sentence(str(error)) from None
    return found if found is not None and found.known.records else None
