"""Compare a stack's receipt with the builds of the checkouts. Where they differ, use the archived bytes, or fail."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pulumi

from artifacts.contents import ArtifactError
from errors import STACK, Fix, RemoveKey, UserError
from lifecycle.backup_config import BackupConfig
from settings import Settings
from sources.checkout import Built
from stack_outputs import Release, short_digest
from storage.releases import Item, ReleaseError, place

HELPS = (Fix(f"oracle promote FROM {STACK}", "to write the receipt again"), RemoveKey("oracle-net:receipt"))


class NotInReceipt(ArtifactError):
    """A release that cannot be deployed: the named bytes are not available, or the configuration pins others."""


def apply_receipt(settings: Settings, project: Path, receipt: Release, built: Iterable[Built]) -> dict[Built, Path]:
    """Return the files to deploy in place of the checkouts' builds. Raises NotInReceipt, which names each service whose
    bytes are neither built, nor stored on this machine or in the stack's store.
    """
    refused = list(_pinned_otherwise(settings, receipt))
    instead: dict[Built, Path] = {}
    differences: list[str] = []
    for each in built:
        item = Item(kind=each.kind, digest=_receipt_digest(receipt, each), services=(each.service,))
        here = _digest(each)
        if here != item.digest:
            instead[each] = place(project, item)
            differences.append(_difference(each.service, here, item, receipt))
            reason = _missing(settings, project, item)
            refused += [f"{differences[-1]}, {reason}"] if reason else []
    if refused:
        raise NotInReceipt(f"The release that the receipt names cannot be deployed: {'; '.join(refused)}.", *HELPS)
    if differences:
        pulumi.log.info(
            f"the bytes that the receipt names are deployed instead of this checkout's builds: {'; '.join(differences)}"
        )
    return instead


def _pinned_otherwise(settings: Settings, receipt: Release) -> Iterator[str]:
    """Yield an error if the configuration pins a registry's image by another digest than the receipt."""
    pinned = settings.backend.image.digest
    if pinned is not None and pinned != receipt["backend"]:
        at = _commit(receipt, "backend")
        yield (
            f"backend is {short_digest(pinned)} in oracle-net:backend.image.digest "
            f"and {short_digest(receipt['backend'])}{at} in the "
            "receipt"
        )


def _receipt_digest(receipt: Release, built: Built) -> str:
    if built.kind == "image":
        return receipt["backend"].removeprefix("sha256:")
    return receipt["workers" if built.kind == "module" else "assets"][built.service]


def _digest(built: Built) -> str:
    """Return the build's digest; empty without a build, which a stack with a receipt does not need."""
    try:
        return built.digest
    except ArtifactError:
        return ""


def _missing(settings: Settings, project: Path, item: Item) -> str:
    """Fetch the bytes if they are not on this machine. Return the reason if that fails, else an empty text."""
    target = place(project, item)
    try:
        if target.is_file():
            item.check(target)
            os.utime(target)
            return ""
    except ReleaseError:
        target.unlink()
    return _fetch(settings, project, item)


def _fetch(settings: Settings, project: Path, item: Item) -> str:
    from storage.backups.errors import Missing

    try:
        BackupConfig.of_settings(settings, None).release_store().get(item, place(project, item))
    except Missing:
        return f"which is not stored in {settings.backup.store}"
    except UserError as error:
        return f"which cannot be fetched ({str(error).rstrip('.')})"
    return ""


def _difference(service: str, here: str, item: Item, receipt: Release) -> str:
    noun = {"module": "code", "assets": "files", "image": "image"}[item.kind]
    named = f"{short_digest(item.digest)}{_commit(receipt, service)}"
    return f"{service}'s {noun}: {short_digest(here) or 'nothing'} in this checkout, {named} in the receipt"


def _commit(receipt: Release, service: str) -> str:
    commit = receipt["commits"].get(service, "")
    return f" (commit {commit[:7]})" if commit else ""
