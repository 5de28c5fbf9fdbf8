"""`oracle recover`: take over from an update that was killed."""

from __future__ import annotations

import typer

from cli.commands.options import StackArgument
from cli.engine import local_cloud
from cli.engine.pulumi import Engine
from cli.engine.recover import recover as take_over
from cli.engine.workspace import Stack


def recover(stack: StackArgument = "local") -> None:
    """Free a dead update's lock and settle what it had begun."""
    chosen = Stack(stack)
    if chosen.on_local_cloud:
        local_cloud.start(chosen)
    done = take_over(Engine(chosen))
    typer.echo("\n".join(done) if done else "There is nothing to recover.")
