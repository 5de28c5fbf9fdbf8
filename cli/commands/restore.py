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
from errors import First, Remedy
from storage.backups import Backup


def restore(
    backup: Annotated[str, typer.Argument(help="A backup from `oracle backups`.", metavar="BACKUP")],
    stack: StackArgument = "local",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Start a new backend from a backup, switch traffic to it, then back up and delete the old one."""
    engine = ready(stack)
    stack_backups = StackBackups(engine)
    chosen = stack_backups.catalog.check(backup)
    backend = empty_disk.backend(stack_backups)
    _refuse_version(chosen, backend.pocketbase)
    echo_wrapped(f"Restores {phrases.backup(chosen)}")
    echo_wrapped(phrases.loss(backend.outputs.backend_app, backend.summary()))

    def agree(lines: Sequence[str]) -> None:
        echo_wrapped("\n".join(lines))
        confirm(stack, yes, "A verified backup of the present data is taken first.")

    settings = stack_backups.settings
    running = backend.outputs.generation
    resumes = settings.generation > running and settings.restore_from == backup
    generation = settings.generation if resumes else max(settings.generation, running) + 1
    values = {"oracle-net:restoreFrom": backup, "oracle-net:generation": str(generation)}
    change = OtherData(kind="restore", values=values, retry_command=f"oracle restore {backup} {stack}")
    replace_data(engine, change, agree)
    newest = stack_backups.catalog.list()[0]
    echo_wrapped(f"\nBacked up: {phrases.backup(newest)}")
    echo_wrapped(f"To undo this, run `oracle wipe --undo {stack}` or `oracle restore {newest.id} {stack}`.")


def _refuse_version(backup: Backup, runs: str) -> None:
    if runs and backup.pocketbase and runs.split(".")[:2] != backup.pocketbase.split(".")[:2]:
        raise CommandError(
            f"The backup {backup.id} was made by PocketBase {backup.pocketbase}, and {runs} runs.",
            First(f"deploy the release of the backup ({backup.release[:19]})", Remedy.RETRY),
        )
