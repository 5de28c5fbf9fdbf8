"""Copy the bytes of a release from one stack's store to another's, through this machine."""

from __future__ import annotations

from cli.backups.stack_backups import StackBackups
from cli.ui.errors import CommandError
from errors import Fix
from stack_outputs import Release
from storage.backups import BackupsError
from storage.backups.errors import Missing
from storage.releases import Item, ReleaseError, items, place
from storage.releases.store import ReleaseStore


def fetch(stack_backups: StackBackups, release: Release, to: StackBackups | None = None) -> int:
    """Copy the bytes to this machine, and to the store of `to`; return the number of items.

    Raises CommandError with the items that the stack's archive lacks; then the other stack's store has not changed.
    """
    stack = stack_backups.engine.stack
    needed = items(release, packed=stack_backups.settings.backend.image.is_packed)
    missing = [
        f"{item.label()}: {problem}"
        for item in needed
        if (problem := _fetch_item(stack_backups.releases, item, stack_backups))
    ]
    if missing:
        raise CommandError(
            f"{stack.name} no longer stores all bytes of this release ({'; '.join(missing)}).",
            Fix(f"oracle rollback {stack.name} --list", "to see the releases that are complete"),
        )
    if to is not None:
        _upload(to, needed)
    return len(needed)


def _fetch_item(archive: ReleaseStore, item: Item, stack_backups: StackBackups) -> str:
    """Copy an item to this machine; return the problem, or an empty text when it is there."""
    target = place(stack_backups.engine.stack.project, item)
    if target.is_file():
        try:
            item.check(target)
            return ""
        except ReleaseError:
            target.unlink()
    stack_backups.engine.stack.make_private(target.parent)
    try:
        archive.get(item, target)
    except Missing:
        return "it is not stored"
    except (BackupsError, ReleaseError) as error:
        return str(error).rstrip(".")
    return ""


def _upload(to: StackBackups, needed: list[Item]) -> None:
    archive = to.releases
    try:
        for item in archive.lacks(needed):
            archive.put(item, place(to.engine.stack.project, item))
    except (BackupsError, ReleaseError) as error:
        raise CommandError(
            f"Nothing was changed, because the release could not be stored for {to.engine.stack.name}.", cause=error
        ) from None
