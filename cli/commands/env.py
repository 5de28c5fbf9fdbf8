"""`oracle env`: what plain `pulumi` commands need to know."""

from __future__ import annotations

import os

import typer

from cli.commands.options import StackArgument
from cli.engine import shell_environment
from cli.engine.workspace import Stack, exports


def env(stack: StackArgument = "local") -> None:
    """Print what makes plain `pulumi` work on the stack, in place of any other's: eval "$(oracle env local)"."""
    chosen = Stack(stack)
    chosen.config("digitalocean:apiEndpoint")
    wanted = exports(chosen, shell_environment.unloaded(os.environ))
    typer.echo("\n".join(shell_environment.script(os.environ, wanted)))
