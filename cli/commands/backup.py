"""`oracle backup`: take a verified backup of the running backend."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.backups.stack_backups import StackBackups
from cli.commands.options import StackArgument
from cli.deploy.config_change import ready
from cli.engine.workspace import Stack
from cli.status import empty_disk
from cli.ui import phrases
from cli.ui.errors import CommandError
from cli.ui.text import echo_wrapped
from errors import SetKey
from storage.backups import BackupOrigin, take


def backup(
    stack: StackArgument = "local",
    off_site: Annotated[
        bool, typer.Option("--off-site", help="Fail if the backup store is a folder on this machine.")
    ] = False,
) -> None:
    """Take a verified backup without downtime. If the backend has lost its data: exit status 1, and no backup."""
    if off_site:
        _refuse_folder(Stack(stack))
    stack_backups = StackBackups(ready(stack))
    empty_disk.refuse_backup(stack_backups)
    backend = stack_backups.backend()
    outputs = backend.outputs
    origin = BackupOrigin(
        app=outputs.backend_app,
        app_id=outputs.backend_app_id,
        generation=outputs.generation,
        release=outputs.release["backend"],
        pocketbase=backend.pocketbase,
        reason="manual",
    )
    assert backend.session is not None
    taken = take(backend.url, backend.session, stack_backups.catalog, origin)
    rules = stack_backups.settings.backup
    pruned = stack_backups.catalog.prune(
        rules.keep_count, rules.keep_days, {taken.id, stack_backups.settings.restore_from or ""}
    )
    echo_wrapped(f"Backed up: {phrases.backup(taken)}" + (f"; old backups deleted: {len(pruned)}" if pruned else ""))
    if others := phrases.not_in_backups(stack_backups.settings):
        echo_wrapped(others)
    echo_wrapped(f"To restore it, run `oracle restore {taken.id} {stack}`.")


def _refuse_folder(stack: Stack) -> None:
    """Refuse a backup store on the machine that takes the backup. Raises CommandError."""
    rules = stack.settings().backup
    if rules.on_this_machine:
        raise CommandError(
            f"The backups of {stack.name} are stored on the machine that takes them ({rules.store}), so no backup was "
            "taken.",
            SetKey("oracle-net:backup.store", "s3://BUCKET/PREFIX"),
        )
