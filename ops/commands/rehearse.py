"""`oracle rehearse`: a change tried out on a local cloud of its own, before it goes anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ops.failures import Failure
from ops.folding import say
from ops.rehearsal import Rehearsal, folder_for, forget
from ops.rehearsing import markdown, sentence
from ops.revisions import revisions
from ops.workspace import PROJECT, Stack


def rehearse(
    change: Annotated[
        str,
        typer.Argument(
            help="From the base's revision to the change's; HEAD when it is left out.", metavar="BASE..HEAD"
        ),
    ] = "origin/main..HEAD",
    summary: Annotated[Path | None, typer.Option(help="Add a report in Markdown to this file.", metavar="FILE")] = None,
    allow_wipe: Annotated[bool, typer.Option("--allow-wipe", help="The change may lose the backend's data.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the rehearsal's folder when all went well too.")] = False,
) -> None:
    """Bring BASE up on this machine, apply the change, wipe, undo, destroy; needs no credential."""
    found = revisions(PROJECT, change)
    folder = folder_for(Stack("local"))
    rehearsal = Rehearsal(PROJECT, folder, found, say)
    try:
        rehearsal.run(allow_wipe)
    except Failure as failure:
        raise Failure(f"{failure}\nEverything it did: {rehearsal.log}") from None
    finally:
        if summary is not None:
            with summary.open("a") as file:
                file.write(markdown(rehearsal.report))
    say(sentence(rehearsal.report))
    if rehearsal.report.failed:
        raise Failure(f"Reads failed while the network changed; everything it did: {rehearsal.log}")
    if keep:
        say(f"Its folder: {folder}")
    else:
        forget(folder)
