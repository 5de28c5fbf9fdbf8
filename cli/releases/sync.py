"""Bytes of a release on their way from one stack's store to another's, by way of this machine."""

from __future__ import annotations

from cli.backups.stack_backups import StackBackups
from cli.ui.errors import CommandError
from stack_outputs import Release
from storage.backups import BackupsError
from storage.backups.errors import Missing
from storage.releases import Item, ReleaseError, items, place
from storage.releases.store import ReleaseStore


def fetch(stack_backups: StackBackups, release: Release, to: StackBackups | None = None) -> int:
    """Makes the bytes be on this machine, and in the store of `to`; returns how many of them there are.

    Raises CommandError naming those that the stack has not kept; then the other stack's store has nothing more.
    """
    stack = stack_backups.engine.stack
    wanted = items(release, packed=stack_backups.settings.backend.image.is_packed)
    lost = [
        f"{item.told()}: {why}" for item in wanted if (why := _fetched(stack_backups.releases, item, stack_backups))
    ]
    if lost:
        raise CommandError(
            f"{stack.name} has not kept all bytes of this release ({'; '.join(lost)}); what it can go back to: "
            f"oracle rollback {stack.name} --list"
        )
    if to is not None:
        _hand_on(to, wanted)
    return len(wanted)


def _fetched(keep: ReleaseStore, item: Item, stack_backups: StackBackups) -> str:
    """Why the bytes cannot be had; empty when they lie on this machine."""
    target = place(stack_backups.engine.stack.project, item)
    if target.is_file():
        try:
            item.check(target)
            return ""
        except ReleaseError:
            target.unlink()
    stack_backups.engine.stack.make_private(target.parent)
    try:
        keep.get(item, target)
    except Missing:
        return "not there"
    except (BackupsError, ReleaseError) as error:
        return str(error).rstrip(".")
    return ""


def _hand_on(to: StackBackups, wanted: list[Item]) -> None:
    keep = to.releases
    try:
        for item in keep.lacks(wanted):
            keep.put(item, place(to.engine.stack.project, item))
    except (BackupsError, ReleaseError) as error:
        raise CommandError(
            f"The bytes could not be kept for {to.engine.stack.name}: {error} Nothing was changed."
        ) from None
