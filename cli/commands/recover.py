"""`oracle recover`: clean up after an update that was killed."""

from __future__ import annotations

import typer

from cli.commands.options import StackArgument
from cli.engine import local_cloud
from cli.engine.pulumi import Engine
from cli.engine.recover import recover as take_over
from cli.engine.workspace import Stack


def recover(stack: StackArgument = "local") -> None:
    """Remove the lock of an update that was killed, and settle its pending operations."""
    chosen = Stack(stack)
    if chosen.on_local_cloud:
        local_cloud.start(chosen)
    actions = take_over(Engine(chosen))
    typer.echo("\n".join(actions) if actions else "There is nothing to recover.")
