"""`oracle backup`: a verified backup of the running backend, now."""

from __future__ import annotations

from typing import Annotated

import typer

from backups import About, BackupsError, take
from ops import disk, words
from ops.change import ready
from ops.commands.options import StackArgument
from ops.custody import StackCustody
from ops.failures import Failure
from ops.folding import say
from ops.workspace import Stack
from pocketbase import BackupFailed, CountError


def backup(
    stack: StackArgument = "local",
    off_site: Annotated[
        bool, typer.Option("--off-site", help="Fail where backups are kept on this machine; for scheduled jobs.")
    ] = False,
) -> None:
    """Take a verified backup now; nobody notices. Exit status 1, and no backup, of a backend that has lost its data."""
    if off_site:
        _refuse_folder(Stack(stack))
    custody = StackCustody(ready(stack))
    disk.refuse_backup(custody)
    backend = custody.backend()
    outputs = backend.outputs
    about = About(
        app=outputs.backend_app,
        app_id=outputs.backend_app_id,
        generation=outputs.generation,
        release=outputs.release["backend"],
        pocketbase=backend.pocketbase,
        reason="manual",
    )
    assert backend.session is not None
    try:
        kept = take(backend.url, backend.session, custody.shelf, about)
        rules = custody.settings.backup
        gone = custody.shelf.prune(rules.keep_count, rules.keep_days, {kept.id, custody.settings.restore_from or ""})
    except (BackupsError, BackupFailed, CountError) as error:
        raise Failure(str(error)) from None
    say(f"Kept: {words.backup(kept)}" + (f"; {len(gone)} old ones cleared away" if gone else ""))
    if others := words.not_in_backups(custody.settings):
        say(others)
    say(f"To go back to it: oracle restore {kept.id} {stack}")


def _refuse_folder(stack: Stack) -> None:
    """Raises Failure where a backup would be gone with the machine that took it."""
    rules = stack.settings().backup
    if rules.on_this_machine:
        raise Failure(
            f"{stack.name} keeps its backups on the machine that takes them ({rules.store}), so no backup was taken. "
            f"Name a bucket: pulumi config set --path oracle-net:backup.store s3://BUCKET/PREFIX --stack {stack.name}"
        )
