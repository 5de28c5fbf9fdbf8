"""`oracle restore`: another generation that starts from a backup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from backups import Backup, BackupsError
from ops import disk, words
from ops.ask import confirm
from ops.change import OtherData, ready, replace_data
from ops.commands.options import StackArgument
from ops.custody import StackCustody
from ops.failures import Failure
from ops.folding import say


def restore(
    backup: Annotated[str, typer.Argument(help="As `oracle backups` names it.", metavar="BACKUP")],
    stack: StackArgument = "local",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
) -> None:
    """Bring a backup's data back: a new backend that starts from it, beside the old, then the old one goes."""
    engine = ready(stack)
    custody = StackCustody(engine)
    chosen = _checked(custody, backup)
    backend = disk.backend(custody)
    _refuse_version(chosen, backend.pocketbase, stack)
    say(f"Restores {words.backup(chosen)}")
    say(words.loss(backend.outputs.backend_app, backend.census()))
    again = f"oracle restore {backup} {stack}"

    def agree(lines: Sequence[str]) -> None:
        say("\n".join(lines))
        confirm(stack, yes, again, "A verified backup of what is there now is kept.")

    settings = custody.settings
    begun = settings.generation > backend.outputs.generation and settings.restore_from == backup
    generation = str(settings.generation if begun else settings.generation + 1)
    values = {"oracle-net:restoreFrom": backup, "oracle-net:generation": generation}
    replace_data(engine, OtherData(kind="restore", values=values, again=again), agree)
    newest = custody.shelf.list()[0]
    say(f"\nKept: {words.backup(newest)}")
    say(f"To undo: oracle wipe --undo {stack}   (or: oracle restore {newest.id} {stack})")


def _checked(custody: StackCustody, backup: str) -> Backup:
    try:
        return custody.shelf.check(backup)
    except BackupsError as error:
        raise Failure(str(error)) from None


def _refuse_version(backup: Backup, runs: str, stack: str) -> None:
    if runs and backup.pocketbase and runs.split(".")[:2] != backup.pocketbase.split(".")[:2]:
        raise Failure(
            f"The backup {backup.id} was made by PocketBase {backup.pocketbase}, and {runs} runs; deploy the "
            f"release it came from first ({backup.release[:19]}), then: oracle restore {backup.id} {stack}"
        )
