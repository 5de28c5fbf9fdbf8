"""Bytes of a release on their way from one stack's store to another's, by way of this machine."""

from __future__ import annotations

from backups import BackupsError
from backups.errors import Missing
from contract import Release
from ops.custody import StackCustody
from ops.failures import Failure
from releases import Item, ReleaseError, items, place
from releases.keep import Keep


def fetch(custody: StackCustody, release: Release, to: StackCustody | None = None) -> int:
    """Makes the bytes be on this machine, and in the store of `to`; returns how many of them there are.

    Raises Failure naming those that the stack has not kept; then the other stack's store has nothing more.
    """
    stack = custody.engine.stack
    wanted = items(release, packed=custody.settings.backend.image.is_packed)
    lost = [f"{item.told()}: {why}" for item in wanted if (why := _fetched(custody.releases, item, custody))]
    if lost:
        raise Failure(
            f"{stack.name} has not kept all bytes of this release ({'; '.join(lost)}); what it can go back to: "
            f"oracle rollback {stack.name} --list"
        )
    if to is not None:
        _hand_on(to, wanted)
    return len(wanted)


def _fetched(keep: Keep, item: Item, custody: StackCustody) -> str:
    """Why the bytes cannot be had; empty when they lie on this machine."""
    target = place(custody.engine.stack.project, item)
    if target.is_file():
        try:
            item.check(target)
            return ""
        except ReleaseError:
            target.unlink()
    custody.engine.stack.make_private(target.parent)
    try:
        keep.get(item, target)
    except Missing:
        return "not there"
    except (BackupsError, ReleaseError) as error:
        return str(error).rstrip(".")
    return ""


def _hand_on(to: StackCustody, wanted: list[Item]) -> None:
    keep = to.releases
    try:
        for item in keep.lacks(wanted):
            keep.put(item, place(to.engine.stack.project, item))
    except (BackupsError, ReleaseError) as error:
        raise Failure(f"The bytes could not be kept for {to.engine.stack.name}: {error} Nothing was changed.") from None
