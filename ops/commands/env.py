"""`oracle env`: what plain `pulumi` commands need to know."""

from __future__ import annotations

import os

import typer

from ops import shellenv
from ops.commands.options import StackArgument
from ops.workspace import Stack, exports


def env(stack: StackArgument = "local") -> None:
    """Print what makes plain `pulumi` work on the stack, in place of any other's: eval "$(oracle env local)"."""
    chosen = Stack(stack)
    chosen.config("digitalocean:apiEndpoint")
    wanted = exports(chosen, shellenv.unloaded(os.environ))
    typer.echo("\n".join(shellenv.script(os.environ, wanted)))
