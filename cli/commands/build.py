"""`oracle build`: build services without deploying them."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.builds.builds import builds, run_builds
from cli.commands.options import StackOption
from cli.engine.workspace import Stack


def build(
    services: Annotated[
        list[str] | None,
        typer.Argument(help="`backend` or a Worker's name. Without names: all services.", metavar="[SERVICE]..."),
    ] = None,
    stack: StackOption = "local",
    again: Annotated[bool, typer.Option("--again", help="Also build services whose source has not changed.")] = False,
) -> None:
    """Run the services' own build commands in parallel. Services whose source has not changed are skipped."""
    selected = builds(Stack(stack), services or [])
    for done in run_builds(selected, again=again):
        typer.echo("\n".join(done.report(stack)))
        if done.is_new:
            typer.echo(f"  its log: {done.log}")
    if not selected:
        typer.echo("Nothing to build: these services have no build command.")
