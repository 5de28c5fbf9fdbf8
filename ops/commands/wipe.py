"""`oracle wipe`: an empty backend beside the old one, a backup, and an undo."""

from __future__ import annotations

from typing import Annotated

import typer

from backups import Backup
from contract import WITHOUT_BACKUP
from ops import disk, words
from ops.ask import confirm
from ops.change import apply, ready
from ops.commands.options import StackArgument
from ops.commands.restore import restore
from ops.custody import StackCustody
from ops.failures import Failure
from ops.folding import say


def wipe(
    stack: StackArgument = "local",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Keep the app: only its container is replaced, with an empty disk.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Bring back what the last wipe took.")] = False,
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Delete the data without a backup.")] = False,
) -> None:
    """Empty the backend: a new one beside the old, then a verified backup, then the old one goes."""
    if undo:
        restore(StackCustody(ready(stack)).last_undone(), stack, yes)
        return
    if no_backup and (yes or restart):
        raise Failure(
            f"Deleting data without a backup is agreed to at a terminal only: oracle wipe {stack} --no-backup"
        )
    engine = ready(stack)
    custody = StackCustody(engine)
    backend = disk.backend(custody)
    outputs, settings = backend.outputs, custody.settings
    say(words.loss(outputs.backend_app, backend.census()))
    say(words.plan(settings, outputs, restart=restart))
    confirm(
        stack, yes, f"oracle wipe {stack}", "There will be NO backup." if no_backup else "A verified backup is kept."
    )
    if restart:
        values: dict[str, str | None] = {"oracle-net:restart": str(settings.restart + 1)}
    else:
        values = {"oracle-net:generation": str(settings.generation + 1), "oracle-net:restoreFrom": None}
    apply(engine, "wipe", values, {WITHOUT_BACKUP: outputs.backend_app} if no_backup else None)
    _show_undo(custody, stack, no_backup)


def _show_undo(custody: StackCustody, stack: str, no_backup: bool) -> None:
    if no_backup:
        say("The data is gone: there is no backup, as you asked.")
        return
    newest: Backup = custody.shelf.list()[0]
    say(f"\nKept: {words.backup(newest)}")
    say(f"To undo: oracle wipe --undo {stack}   (or: oracle restore {newest.id} {stack})")
