"""`oracle build`: the services' own builds."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.builds.builds import builds, run_builds
from cli.commands.options import StackOption
from cli.engine.workspace import Stack


def build(
    services: Annotated[
        list[str] | None,
        typer.Argument(help="backend or a Worker's name; all when none is given.", metavar="[SERVICE]..."),
    ] = None,
    stack: StackOption = "local",
    again: Annotated[bool, typer.Option("--again", help="Also what was built from the same source.")] = False,
) -> None:
    """Run the services' own build commands, all at once; what was built from the same source is not built again."""
    wanted = builds(Stack(stack), services or [])
    for done in run_builds(wanted, again=again):
        typer.echo("\n".join(done.lines))
        if done.is_new:
            typer.echo(f"  its output: {done.log}")
    if not wanted:
        typer.echo("Nothing to build: these services are deployed as they are.")
