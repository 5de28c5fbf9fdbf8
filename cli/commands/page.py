"""`oracle page`: show a stack in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from atomic_write import atomic_write
from cli.commands.options import StackOption
from cli.dashboard import render
from cli.dashboard.collect import Gatherer
from cli.dashboard.server import Pages, Server
from cli.engine.workspace import Stack
from cli.ui.browser import open_quietly
from errors import STACK, Fix, UserError


def page(
    stack: StackOption = "local",
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write the page to this file, and stop.", metavar="FILE", dir_okay=False),
    ] = None,
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1. 0: any free port.", min=0, max=65535)] = 0,
    show: Annotated[bool, typer.Option("--open", help="Also open the page in a browser.")] = False,
) -> None:
    """Serve a web page with services, runs, backups and history, updated live until Ctrl-C."""
    chosen = Stack(stack)
    gatherer = Gatherer(chosen)
    if html:
        _write(html, render(gatherer.gather()))
        typer.echo(f"Written: {html}")
        return
    pages = Pages(lambda: render(gatherer.gather(), live=True))
    pages.page()
    with Server(pages, chosen.name, port) as server:
        typer.echo(f"{server.address}\nThe page is updated until Ctrl-C.")
        chosen.make_private()
        if show and not open_quietly(server.address, chosen.private / "page.html"):
            typer.echo("No browser could be started. Open the address yourself.", err=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo()


def _write(file: Path, text: str) -> None:
    """Write the file atomically. Raises UserError."""
    try:
        atomic_write(file, text.encode(), 0o644)
    except OSError as error:
        help = Fix(f"oracle page --stack {STACK} --html FILE", "with another file")
        raise UserError(f"{file} cannot be written.", help, cause=error.strerror or "") from None
