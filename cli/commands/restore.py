"""`oracle restore`: replace the backend by a new generation that starts from a backup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from cli.backups.stack_backups import StackBackups
from cli.commands.options import StackArgument
from cli.deploy.config_change import OtherData, ready, replace_data
from cli.status import empty_disk
from cli.ui import phrases
from cli.ui.errors import CommandError
from cli.ui.prompt import confirm
from cli.ui.text import echo_wrapped
from storage.backups import Backup, BackupsError


def restore(
    backup: Annotated[str, typer.Argument(help="A backup from `oracle backups`.", metavar="BACKUP")],
    stack: StackArgument = "local",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Start a new backend from a backup, switch traffic to it, then back up and delete the old one."""
    engine = ready(stack)
    stack_backups = StackBackups(engine)
    chosen = _checked(stack_backups, backup)
    backend = empty_disk.backend(stack_backups)
    _refuse_version(chosen, backend.pocketbase, stack)
    echo_wrapped(f"Restores {phrases.backup(chosen)}")
    echo_wrapped(phrases.loss(backend.outputs.backend_app, backend.summary()))
    again = f"oracle restore {backup} {stack}"

    def agree(lines: Sequence[str]) -> None:
        echo_wrapped("\n".join(lines))
        confirm(stack, yes, again, "A verified backup of what is there now is kept.")

    settings = stack_backups.settings
    resumes = settings.generation > backend.outputs.generation and settings.restore_from == backup
    generation = str(settings.generation if resumes else settings.generation + 1)
    values = {"oracle-net:restoreFrom": backup, "oracle-net:generation": generation}
    replace_data(engine, OtherData(kind="restore", values=values, again=again), agree)
    newest = stack_backups.catalog.list()[0]
    echo_wrapped(f"\nKept: {phrases.backup(newest)}")
    echo_wrapped(f"To undo: oracle wipe --undo {stack}   (or: oracle restore {newest.id} {stack})")


def _checked(stack_backups: StackBackups, backup: str) -> Backup:
    try:
        return stack_backups.catalog.check(backup)
    except BackupsError as error:
        raise CommandError(str(error)) from None


def _refuse_version(backup: Backup, runs: str, stack: str) -> None:
    if runs and backup.pocketbase and runs.split(".")[:2] != backup.pocketbase.split(".")[:2]:
        raise CommandError(
            f"The backup {backup.id} was made by PocketBase {backup.pocketbase}, and {runs} runs; deploy the "
            f"release it came from first ({backup.release[:19]}), then: oracle restore {backup.id} {stack}"
        )
