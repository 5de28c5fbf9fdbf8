"""`oracle review`: create or delete the review environment of a pull request."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import advice
from cli import preview_env as reviews
from cli.engine.workspace import Stack
from cli.preview_env import comment
from cli.runs import report
from cli.status import running
from cli.ui.errors import CommandError
from cli.ui.text import echo_wrapped
from errors import Fix, UserError


def review(
    number: Annotated[
        int | None, typer.Argument(help="The pull request's number.", metavar="[NUMBER]", min=1, max=9_999_999)
    ] = None,
    hours: Annotated[
        int, typer.Option(min=1, max=24 * 14, help="Delete the environment after this many hours, counted from now.")
    ] = 24,
    down: Annotated[bool, typer.Option("--down", help="Delete the environment, including its data.")] = False,
    sweep: Annotated[bool, typer.Option("--sweep", help="Delete all environments whose time has expired.")] = False,
    base: Annotated[
        str,
        typer.Option(
            "--from", help="The stack whose configuration and accounts the environment uses.", metavar="STACK"
        ),
    ] = "staging",
    markdown: Annotated[
        Path | None, typer.Option(help="Write the result to this file, as Markdown.", metavar="FILE")
    ] = None,
) -> None:
    """Create, update or delete the review environment of a pull request."""
    if (number is None) is not sweep or (sweep and down):
        raise CommandError(
            "Give either a pull request's number or --sweep.",
            Fix("oracle review NUMBER"),
            Fix("oracle review NUMBER --down"),
            Fix("oracle review --sweep"),
        )
    stack = Stack(base)
    if sweep:
        reviews.sweep(stack, echo_wrapped)
        return
    assert number is not None
    try:
        text = _down(stack, number) if down else _up(stack, number, hours)
    except UserError as failure:
        retry = f"oracle review {number}{' --down' * down}"
        _write(markdown, comment.failed(number, advice.text(failure, f"pr-{number}", retry), down=down))
        raise
    _write(markdown, text)


def _up(base: Stack, number: int, hours: int) -> str:
    engine, expires = reviews.bring_up(base, number, hours, echo_wrapped)
    rows = running.rows(engine)
    report.show(rows)
    echo_wrapped(
        f"It is deleted at {reviews.describe(expires)}. To delete it now, run `oracle review {number} --down`."
    )
    if silent := [row.service for row in rows if not row.well]:
        raise CommandError(f"{', '.join(silent)} of pr-{number} does not answer.", Fix(f"oracle review {number}"))
    return comment.deployed(rows, expires)


def _down(base: Stack, number: int) -> str:
    was = reviews.take_down(base, number)
    echo_wrapped(f"pr-{number} and its data were deleted." if was else f"There is no environment pr-{number}.")
    return comment.GONE


def _write(file: Path | None, text: str) -> None:
    if file is not None:
        file.write_text(text)
