"""`oracle env`: print the environment variables for plain `pulumi` commands."""

from __future__ import annotations

import os

import typer

from cli.commands.options import StackArgument
from cli.engine import shell_environment
from cli.engine.workspace import Stack, exports


def env(stack: StackArgument = "local") -> None:
    """Print the environment variables for plain `pulumi` commands on the stack: eval "$(oracle env local)"."""
    chosen = Stack(stack)
    chosen.config("digitalocean:apiEndpoint")
    variables = exports(chosen, shell_environment.unloaded(os.environ))
    typer.echo("\n".join(shell_environment.script(os.environ, variables)))
