"""`oracle down`: stop the local cloud."""

from __future__ import annotations

import typer

from cli.commands.options import StackArgument
from cli.engine import local_cloud
from cli.engine.workspace import Stack


def down(stack: StackArgument = "local") -> None:
    """Stop the local cloud. `oracle up` restores everything, including data and addresses."""
    chosen = Stack(stack)
    stopped, again = local_cloud.stop(chosen), chosen.update
    typer.echo(
        f"Stopped. Apps, data and addresses are kept; start again: {again}"
        if stopped
        else f"Nothing runs; start: {again}"
    )
