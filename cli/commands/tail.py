"""`oracle tail`: what the services of a stack say, as they say it."""

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
BROKEN_PIPE = 141  # as a shell shows a command that SIGPIPE ended


def tail(
    services: Annotated[
        list[str] | None, typer.Argument(help="Which services; all when left out.", metavar="[SERVICE]...")
    ] = None,
    stack: StackOption = "local",
    text: Annotated[
        str, typer.Option("--filter", help="Only what has this text in it, in any case.", metavar="TEXT")
    ] = "",
    status: Annotated[
        Status | None, typer.Option(help="Only events of Workers that went so; the backend's lines do not say.")
    ] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", help="Lines of the backend's log to begin with.", min=1, max=10_000)
    ] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one object a line.")] = False,
) -> None:
    """Follow the backend's log and the Workers' events, until Ctrl-C: oracle tail api backend -s prod."""
    for number in ENDING:
        signal.signal(number, _end)
    try:
        opening = open_services(Stack(stack), services or [], lines)
        show = Show(list(opening.services), opening.mask, Wanted(text=text, status=status), as_json=as_json)
        echo_wrapped(f"oracle: {', '.join(opening.services)} of {stack}; Ctrl-C ends it.", sys.stderr)
        _follow(opening, show)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:  # nobody reads any more, as behind `| head`
        raise typer.Exit(BROKEN_PIPE) from None


def _follow(opening: Opening, show: Show) -> None:
    with closing(follow(opening.services)) as found:
        for item in found:
            if isinstance(item, Note):
                echo_wrapped(f"oracle: {item.text}", sys.stderr)
            else:
                show(item)


def _end(*_: object) -> None:
    """Ends it once: a second Ctrl-C must not keep tails from being deleted."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
