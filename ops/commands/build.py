"""`oracle build`: the services' own builds."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.build import builds, run_builds
from ops.commands.options import StackOption
from ops.workspace import Stack


def build(
    services: Annotated[
        list[str] | None,
        typer.Argument(help="backend, api, web, universe; all when none is named.", metavar="[SERVICE]..."),
    ] = None,
    stack: StackOption = "local",
) -> None:
    """Run the services' own build commands, all at once."""
    wanted = builds(Stack(stack), services or [])
    for done in run_builds(wanted):
        typer.echo(f"built {done.service} ({done.log})")
    if not wanted:
        typer.echo("Nothing to build: these services are deployed as they are.")
