"""`oracle down`: stop what runs on this machine."""

from __future__ import annotations

import typer

from ops import local_cloud
from ops.commands.options import StackArgument
from ops.workspace import Stack


def down(stack: StackArgument = "local") -> None:
    """Stop the local cloud; `oracle up` brings everything back, data and addresses included."""
    stopped = local_cloud.stop(Stack(stack))
    typer.echo(
        "Stopped. Apps, data and addresses are kept; start again: make up"
        if stopped
        else "Nothing runs; start: make up"
    )
