"""`oracle receipt`: a stack's receipt, for a step or a job that comes later."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli.commands.options import StackArgument
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.releases import receipts
from cli.ui.errors import CommandError
from storage.releases import named


def receipt(
    stack: StackArgument = "local",
    running: Annotated[
        bool, typer.Option("--running", help="First hold the stack's file to what runs, as nothing is built here.")
    ] = False,
) -> None:
    """Print the receipt in a stack's file, as one line of JSON."""
    chosen = Stack(stack)
    if running:
        if adopted := chosen.settings().adopted:
            raise CommandError(
                f"{', '.join(adopted)} of {stack} still run as they were made by hand; first: oracle deploy"
            )
        receipts.write(chosen, named(Engine(chosen).outputs().release))
    held = chosen.settings().receipt
    if held is None:
        raise CommandError(f"{chosen.file.name} has no receipt; it gets one by: oracle promote FROM {stack}")
    typer.echo(json.dumps(held.model_dump()))
