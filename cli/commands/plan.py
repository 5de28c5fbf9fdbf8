"""`oracle plan`: describe an update of a stack, for a terminal or a pull request."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

import advice
from cli.commands.options import StackArgument
from cli.deploy.config_change import ready
from cli.plan import preview_markdown
from cli.plan.preview_summary import Forecast, forecast
from cli.runs.recorder import RunRecorder
from cli.runs.store import Runs
from cli.ui.text import echo_wrapped
from errors import UserError

LOSS = 3
"""The exit status of `--refuse-loss` when data would be lost."""


def plan(
    stack: StackArgument = "local",
    markdown: Annotated[
        Path | None, typer.Option(help="Also append the result to this file, as Markdown.", metavar="FILE")
    ] = None,
    refuse_loss: Annotated[
        bool, typer.Option("--refuse-loss", help="Exit with status 3 if the backend's data would be lost.")
    ] = False,
    service: Annotated[
        list[str] | None,
        typer.Option(help="Only the changes of `oracle deploy SERVICE`. Can be repeated.", metavar="SERVICE"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the changes of an update, the data it would lose and its cost, without changing anything."""
    try:
        found = _forecast(stack, service or [], as_json)
    except UserError as error:
        _add(markdown, preview_markdown.failure(stack, advice.text(error, stack, f"oracle plan {stack}")))
        raise
    _add(markdown, preview_markdown.markdown(found))
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        _show(found)
    if found.loss and refuse_loss:
        raise typer.Exit(LOSS)


def _forecast(stack: str, services: list[str], quiet: bool) -> Forecast:
    engine = ready(stack, quiet=quiet)
    with Runs(engine.stack.runs).start("plan", engine.owner, sys.argv[1:]) as run:
        found = forecast(RunRecorder(engine, run), services)
        run.discard()
        return found


def _show(found: Forecast) -> None:
    echo_wrapped(f"{found.stack}: {preview_markdown.headline(found)}")
    for line in found.words:
        echo_wrapped(f"  {line}")
    if found.cost:
        echo_wrapped(f"  Cost: {found.cost}")
    if found.loss:
        echo_wrapped(f"\nTHIS LOSES THE BACKEND'S DATA.\n{found.loss}")


def _add(file: Path | None, text: str) -> None:
    if file is not None:
        with file.open("a") as target:
            target.write(f"{text}\n")
