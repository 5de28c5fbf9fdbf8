"""A stack's receipt against what the checkouts build: other bytes are taken from what was kept, or refused."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pulumi

from artifacts.contents import ArtifactError
from lifecycle.backup_config import BackupConfig
from lifecycle.errors import UserError
from settings import Settings
from sources.checkout import Built
from stack_outputs import Release
from storage.releases import Item, ReleaseError, place, short

REMEDY = (
    "Let a command write the receipt: oracle promote FROM TO; "
    "or deploy without one: pulumi config rm oracle-net:receipt"
)


class NotInReceipt(ArtifactError):
    """Bytes that the receipt does not name, where those it names cannot be had; one sentence."""


def apply_receipt(settings: Settings, project: Path, receipt: Release, built: Iterable[Built]) -> dict[Built, Path]:
    """The files to deploy instead of what the checkouts build. Raises NotInReceipt naming each service whose bytes are
    neither built, nor kept on this machine or in the stack's store.
    """
    refused = list(_pinned_otherwise(settings, receipt))
    found: dict[Built, Path] = {}
    told: list[str] = []
    for each in built:
        item = Item(kind=each.kind, digest=_wanted(receipt, each), services=(each.service,))
        here = _digest(each)
        if here != item.digest:
            found[each] = place(project, item)
            told.append(_difference(each.service, here, item, receipt))
            why = _missing(settings, project, item)
            refused += [f"{told[-1]}, {why}"] if why else []
    if refused:
        raise NotInReceipt(f"Deployed is what the receipt names, and nothing else: {'; '.join(refused)}. {REMEDY}")
    if told:
        pulumi.log.info(f"what the receipt names is deployed, and not what this checkout builds: {'; '.join(told)}")
    return found


def _pinned_otherwise(settings: Settings, receipt: Release) -> Iterator[str]:
    """The image's digest is in the configuration too, where it comes from a registry."""
    pinned = settings.backend.image.digest
    if pinned is not None and pinned != receipt["backend"]:
        at = _commit(receipt, "backend")
        yield (
            f"backend is {short(pinned)} in oracle-net:backend.image.digest and {short(receipt['backend'])}{at} in the "
            "receipt"
        )


def _wanted(receipt: Release, built: Built) -> str:
    if built.kind == "image":
        return receipt["backend"].removeprefix("sha256:")
    return receipt["workers" if built.kind == "module" else "assets"][built.service]


def _digest(built: Built) -> str:
    """Empty where there is nothing to build it from, which a stack with a receipt does not need."""
    try:
        return built.digest
    except ArtifactError:
        return ""


def _missing(settings: Settings, project: Path, item: Item) -> str:
    """Why the bytes are not on this machine, in a few words; empty when they are, or have just been fetched."""
    target = place(project, item)
    try:
        if target.is_file():
            item.check(target)
            os.utime(target)
            return ""
    except ReleaseError:
        target.unlink()
    return _unfetched(settings, project, item)


def _unfetched(settings: Settings, project: Path, item: Item) -> str:
    from storage.backups import BackupsError
    from storage.backups.errors import Missing

    try:
        BackupConfig.of_settings(settings, None).release_store().get(item, place(project, item))
    except Missing:
        return f"which is not kept in {settings.backup.store}"
    except (UserError, BackupsError, ReleaseError) as error:
        return f"which cannot be fetched ({str(error).rstrip('.')})"
    return ""


def _difference(service: str, here: str, item: Item, receipt: Release) -> str:
    word = {"module": "code", "assets": "files", "image": "image"}[item.kind]
    return f"{service}'s {word}: {short(here) or 'nothing'} here, {short(item.digest)}{_commit(receipt, service)} there"


def _commit(receipt: Release, service: str) -> str:
    commit = receipt["commits"].get(service, "")
    return f" (commit {commit[:7]})" if commit else ""
