"""`oracle tail`: follow the log lines and events of a stack's services."""

from __future__ import annotations

import signal
import sys
from contextlib import closing
from typing import Annotated

import typer

from cli.commands.options import StackOption
from cli.engine.workspace import Stack
from cli.tail import Status, Wanted
from cli.tail.follow import Note, follow
from cli.tail.render import Show
from cli.tail.streams import Opening, open_services
from cli.ui.text import echo_wrapped

ENDING = (signal.SIGINT, signal.SIGTERM)
BROKEN_PIPE = 141  # the status that a shell shows for a command that SIGPIPE ended


def tail(
    services: Annotated[
        list[str] | None,
        typer.Argument(help="`backend` or a Worker's name. Without names: all services.", metavar="[SERVICE]..."),
    ] = None,
    stack: StackOption = "local",
    text: Annotated[
        str,
        typer.Option("--filter", help="Only lines and events that contain this text; case is ignored.", metavar="TEXT"),
    ] = "",
    status: Annotated[
        Status | None, typer.Option(help="Only Worker events with this result. The backend's lines have none.")
    ] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", help="Past lines of the backend's log to show first.", min=1, max=10_000)
    ] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Follow the backend's log and the Workers' events until Ctrl-C: oracle tail api backend -s prod."""
    for number in ENDING:
        signal.signal(number, _end)
    try:
        opening = open_services(Stack(stack), services or [], lines)
        show = Show(list(opening.services), opening.mask, Wanted(text=text, status=status), as_json=as_json)
        echo_wrapped(f"oracle: {', '.join(opening.services)} of {stack}; Ctrl-C ends it.", sys.stderr)
        _follow(opening, show)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:  # the reader has closed the pipe, such as `| head`
        raise typer.Exit(BROKEN_PIPE) from None


def _follow(opening: Opening, show: Show) -> None:
    with closing(follow(opening.services)) as items:
        for item in items:
            if isinstance(item, Note):
                echo_wrapped(f"oracle: {item.text}", sys.stderr)
            else:
                show(item)


def _end(*_: object) -> None:
    """Interrupt once. Further signals are ignored, so that the Workers' tails are still deleted."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
