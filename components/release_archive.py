"""The archive of deployed bytes, stored beside the backups for promotion and rollback.

It is a resource of the program, not a part of a command, so that plain `pulumi up` archives the bytes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, UpdateResult

from errors import Remedy, UserError
from lifecycle.backup_config import BackupConfig
from lifecycle.errors import Provider
from stack_outputs import Release
from storage.releases import Item, ReleaseError, adopted, items, place, same_bytes, sweep

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import Settings
    from storage.releases.store import DeployedRelease


@dataclass(frozen=True, kw_only=True)
class ArchiveArgs:
    release: Release
    """The digests of the deployed bytes."""
    app: pulumi.Input[str]
    """The name of the app that runs the backend."""
    app_id: pulumi.Input[str]
    """The id of that app."""
    packed: pulumi.Input[bool]
    """True if the backend's image is archived too. A registry has an image that was not packed."""
    count: pulumi.Input[int]
    """The number of releases that stay archived."""
    backup_config: BackupConfig
    """The backup store, without its key: the bytes are not encrypted."""
    after: Sequence[pulumi.Input[str]]
    """The services' addresses. The release is archived once all are known, so when all services run it."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        release: Release,
        app: pulumi.Input[str],
        app_id: pulumi.Input[str],
        *,
        after: Sequence[pulumi.Input[str]],
    ) -> ArchiveArgs:
        return cls(
            release=release,
            app=app,
            app_id=app_id,
            packed=settings.backend.image.is_packed,
            count=settings.keep_releases,
            backup_config=BackupConfig.of_settings(settings, None),
            after=after,
        )


class ReleaseArchiveProvider(Provider):
    """Archives bytes. Reads the store's credentials from the environment at run time and does not store them."""

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        changed = any(_olds.get(key) != _news[key] for key in ("backup_config", "packed"))
        return DiffResult(
            changes=changed or not same_bytes(_olds["release"], _news["release"]) or _store_lost_items(_olds, _news)
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_=props["backup_config"]["owner"], outs={**props, "lacking": _archive(props)})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(outs={**_news, "lacking": _archive(_news)})


class ReleaseArchive(Resource, name="ReleaseArchive"):
    """Depends on everything that runs the release. Produces `lacking`, the names of bytes that are not archived because
    an update of other services did not have them.
    """

    lacking: pulumi.Output[list[str]]

    def __init__(self, name: str, args: ArchiveArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {
            **vars(args),
            "backup_config": args.backup_config.props(),
            "after": pulumi.Output.all(*args.after).apply(lambda _: ""),
            "lacking": None,
        }
        super().__init__(ReleaseArchiveProvider(), name, props, opts)


def _store_lost_items(olds: dict[str, Any], news: dict[str, Any]) -> bool:
    """Return whether the store lost archived bytes; False if it does not answer."""
    from storage.backups import BackupsError

    try:
        lacks = BackupConfig.of(news["backup_config"]).release_store().lacks(_items(news))
    except (BackupsError, UserError):
        return False
    return bool({item.name for item in lacks} - set(olds.get("lacking") or []))


def _archive(props: dict[str, Any]) -> list[str]:
    """Store the missing bytes, record the deployed release, delete old releases. Return the bytes that are not on this
    machine. Raises UserError.
    """
    from storage.backups import BackupsError

    backup_config = BackupConfig.of(props["backup_config"])
    store, project = backup_config.release_store(), Path.cwd()
    lacking = []
    try:
        for item in store.lacks(_items(props)):
            if place(project, item).is_file():
                store.put(item, place(project, item))
            else:
                lacking.append(item)
        if not adopted(props["release"]):  # nobody could deploy an adopted release again
            store.note(_deployed(props))
        removed = store.prune(int(props["count"]), _images(backup_config, int(props["count"])))
    except (BackupsError, ReleaseError) as error:
        raise UserError(
            "Everything is deployed, but its bytes could not be archived.",
            *(error.helps or (Remedy.RETRY,)),
            cause=error,
        ) from None
    sweep(project)
    _log(backup_config.owner.stack, lacking, removed)
    return [item.name for item in lacking]


def _deployed(props: dict[str, Any]) -> DeployedRelease:
    from storage.backups import who
    from storage.releases.store import DeployedRelease, now

    known = {key: props[key] for key in ("release", "packed", "app", "app_id")}
    return DeployedRelease(at=now(), who=who(), **known)


def _items(props: dict[str, Any]) -> list[Item]:
    return items(props["release"], packed=props["packed"])


def _images(backup_config: BackupConfig, count: int) -> set[str]:
    """Return the images in the newest entries of the audit log: their backups may be restored."""
    entries = backup_config.audit_log().entries(newest=count)
    return {release for entry in entries for release in (entry.from_release, entry.to_release) if release}


def _log(stack: str, lacking: list[Item], removed: list[str]) -> None:
    if lacking:
        names = ", ".join(item.label() for item in lacking)
        print(
            f"Not archived, because this update does not deploy it: {names}. To archive it, run `oracle deploy --stack "
            f"{stack}`.",
            flush=True,
        )
    if removed:
        print(f"Removed the bytes of old releases: {', '.join(removed)}", flush=True)
