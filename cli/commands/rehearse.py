"""`oracle rehearse`: try a change on a local cloud of its own before it is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.engine.revisions import revisions
from cli.engine.workspace import PROJECT, Stack
from cli.rehearse import service_checkouts
from cli.rehearse.markdown import markdown, sentence
from cli.rehearse.rehearsal import Rehearsal, folder_for, forget
from cli.rehearse.service_checkouts import COMMITTED
from cli.ui.errors import CommandError
from cli.ui.text import echo_wrapped
from errors import Fix, UserError


def rehearse(
    change: Annotated[
        str | None,
        typer.Argument(
            help="The revisions before and after the change; HEAD can be left out. Without it: origin/main..HEAD, or "
            "no change of this repository if --service is given.",
            metavar="BASE..HEAD",
        ),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(help="A change of a service, in its own checkout. Can be repeated.", metavar="SERVICE=BASE..HEAD"),
    ] = None,
    like: Annotated[
        str, typer.Option(help="The stack whose file names the services' checkouts.", metavar="STACK")
    ] = "staging",
    summary: Annotated[
        Path | None, typer.Option(help="Append a report to this file, as Markdown.", metavar="FILE")
    ] = None,
    allow_wipe: Annotated[
        bool, typer.Option("--allow-wipe", help="Accept a change that loses the backend's data.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Do not delete the rehearsal's folder after a success.")] = False,
) -> None:
    """Deploy BASE to a local cloud, apply the change, wipe, undo and destroy. Needs no credentials."""
    changes = dict(map(_change, service or []))
    found = revisions(PROJECT, change or (COMMITTED if changes else "origin/main..HEAD"))
    services = service_checkouts.find(PROJECT, like, changes)
    folder = folder_for(Stack("local"))
    rehearsal = Rehearsal(PROJECT, folder, found, services, echo_wrapped)
    try:
        rehearsal.run(allow_wipe)
    except UserError as failure:
        see = Fix(f"less {rehearsal.log}", "to read the rehearsal's log")
        raise CommandError(failure.problem, *failure.helps, see, cause=failure.cause) from None
    finally:
        if summary is not None:
            with summary.open("a") as file:
                file.write(markdown(rehearsal.report))
    echo_wrapped(sentence(rehearsal.report))
    if rehearsal.report.failed:
        raise CommandError(
            "Reads failed during the change.", Fix(f"less {rehearsal.log}", "to read the rehearsal's log")
        )
    if keep:
        echo_wrapped(f"The rehearsal's folder: {folder}")
    else:
        forget(folder)


def _change(argument: str) -> tuple[str, str]:
    """Return the service and the revisions. Raises CommandError."""
    service, separator, change = argument.partition("=")
    if not separator or not service or not change:
        raise CommandError(
            f"`--service {argument}` must name a service and revisions of its checkout.",
            Fix("oracle rehearse --service api=origin/main..HEAD"),
        )
    return service, change
