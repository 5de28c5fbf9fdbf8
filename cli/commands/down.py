"""`oracle down`: stop the local cloud."""

from __future__ import annotations

import typer

from cli.commands.options import StackArgument
from cli.engine import local_cloud
from cli.engine.workspace import Stack


def down(stack: StackArgument = "local") -> None:
    """Stop the local cloud. `oracle up` restores everything, including data and addresses."""
    chosen = Stack(stack)
    stopped = local_cloud.stop(chosen)
    result = "Stopped; apps, data and addresses stay on disk." if stopped else "The local cloud does not run."
    typer.echo(f"{result} To start it, run `{chosen.update}`.")
