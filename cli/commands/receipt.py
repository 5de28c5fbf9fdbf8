"""`oracle receipt`: print a stack's receipt as JSON, for a later step or job."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli.commands.options import StackArgument
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.releases import receipts
from cli.ui.errors import CommandError
from errors import Fix
from storage.releases import named


def receipt(
    stack: StackArgument = "local",
    running: Annotated[
        bool,
        typer.Option(
            "--running", help="First write the running release to the stack's file, for machines that build nothing."
        ),
    ] = False,
) -> None:
    """Print the receipt in a stack's file as one line of JSON."""
    chosen = Stack(stack)
    if running:
        if adopted := chosen.settings().adopted:
            raise CommandError(
                f"{', '.join(adopted)} of {stack} still run as they were made by hand, so no receipt can name their "
                "bytes.",
                Fix(f"oracle deploy --stack {stack}", "to release them for the first time"),
            )
        receipts.write(chosen, named(Engine(chosen).outputs().release))
    pinned = chosen.settings().receipt
    if pinned is None:
        raise CommandError(f"{chosen.file.name} has no receipt.", Fix(f"oracle promote FROM {stack}", "to write one"))
    typer.echo(json.dumps(pinned.model_dump()))
