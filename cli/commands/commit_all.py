"""`oracle commit-all`: commit and push the changes of every repository."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.engine.workspace import PROJECT
from cli.repositories import commit_all as work


def commit_all(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be committed, and stop.")] = False,
    message: Annotated[
        str | None,
        typer.Option(
            "--message",
            "-m",
            help="The message of every commit. Without it: asked for, or made from each change.",
            metavar="TEXT",
        ),
    ] = None,
    repo: Annotated[
        list[str] | None,
        typer.Option("--repo", help="Only this repository of repositories.yaml. Can be repeated.", metavar="R"),
    ] = None,
) -> None:
    """Commit and push the changes of every repository in parallel. Never forces a push, never commits secrets."""
    status = work.commit_all(PROJECT, repo or [], message, dry_run)
    if status:
        raise typer.Exit(status)
