"""`oracle wipe`: replace the backend by an empty one, after a verified backup, or undo that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from cli.backups.stack_backups import StackBackups
from cli.commands.options import StackArgument
from cli.commands.restore import restore
from cli.deploy import service_plan
from cli.deploy.config_change import OtherData, ready, replace_data
from cli.engine.pulumi import Engine
from cli.status import empty_disk
from cli.ui import phrases
from cli.ui.errors import CommandError
from cli.ui.prompt import confirm
from cli.ui.text import echo_wrapped
from errors import Fix
from settings import Settings
from stack_outputs import WITHOUT_BACKUP, Outputs
from storage.backups import Backup


def wipe(
    stack: StackArgument = "local",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Only replace the app's container, whose new disk is empty.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Restore the data that the last wipe deleted.")] = False,
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Delete the data without a backup.")] = False,
) -> None:
    """Replace the backend by a new, empty one. The old one is deleted after a verified backup."""
    if undo:
        restore(StackBackups(ready(stack)).last_undone(), stack, yes)
        return
    if no_backup and (yes or restart):
        raise CommandError(
            "Deleting data without a backup has to be confirmed at a terminal, and is not possible with --restart.",
            Fix(f"oracle wipe {stack} --no-backup"),
        )
    engine = ready(stack)
    stack_backups = StackBackups(engine)
    backend = empty_disk.backend(stack_backups)
    outputs, settings = backend.outputs, stack_backups.settings
    echo_wrapped(phrases.loss(outputs.backend_app, backend.summary()))

    def agree(lines: Sequence[str]) -> None:
        echo_wrapped("\n".join(lines))
        confirm(stack, yes, "There will be NO backup." if no_backup else "A verified backup is taken first.")

    change = OtherData(
        kind="wipe",
        values=_restarted(engine, settings) if restart else _wiped(settings, outputs),
        retry_command=f"oracle wipe {stack}{' --restart' * restart}{' --no-backup' * no_backup}",
        environment={WITHOUT_BACKUP: outputs.backend_app} if no_backup else {},
    )
    replace_data(engine, change, agree)
    _show_undo(stack_backups, stack, no_backup)


def _wiped(settings: Settings, outputs: Outputs) -> dict[str, str | None]:
    """Return the config of the next generation, or of the one that an unfinished wipe has started.

    A stack's file may name an earlier generation than the running one, if a colleague's wipe was not pulled.
    """
    resumes = settings.generation > outputs.generation and settings.restore_from is None
    generation = settings.generation if resumes else max(settings.generation, outputs.generation) + 1
    return {"oracle-net:generation": str(generation), "oracle-net:restoreFrom": None}


def _restarted(engine: Engine, settings: Settings) -> dict[str, str | None]:
    """Return the config of the next restart, or of the one that has started and not finished."""
    done = service_plan.restarts(engine.export())
    resumes = done is not None and settings.restart > done
    return {"oracle-net:restart": str(settings.restart if resumes else settings.restart + 1)}


def _show_undo(stack_backups: StackBackups, stack: str, no_backup: bool) -> None:
    if no_backup:
        echo_wrapped("The data is deleted without a backup, as you asked.")
        return
    newest: Backup = stack_backups.catalog.list()[0]
    echo_wrapped(f"\nBacked up: {phrases.backup(newest)}")
    echo_wrapped(f"To undo this, run `oracle wipe --undo {stack}` or `oracle restore {newest.id} {stack}`.")
