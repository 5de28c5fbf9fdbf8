"""`oracle env`: what plain `pulumi` commands need to know."""

from __future__ import annotations

import shlex

import typer

from ops.commands.options import StackArgument
from ops.workspace import Stack, exports


def env(stack: StackArgument = "local") -> None:
    """Print the exports after which plain `pulumi` works: eval "$(oracle env local)"."""
    chosen = Stack(stack)
    chosen.config("digitalocean:apiEndpoint")
    for name, value in exports(chosen).items():
        typer.echo(f"export {name}={shlex.quote(value)}")
