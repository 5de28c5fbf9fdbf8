"""`oracle commit-all`: every repository's changes committed and pushed."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.engine.workspace import PROJECT
from cli.repositories import commit_all as work


def commit_all(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look, and say what would be done.")] = False,
    message: Annotated[
        str | None,
        typer.Option("--message", "-m", help="For every commit; else asked, or made from each change.", metavar="TEXT"),
    ] = None,
    repo: Annotated[
        list[str] | None, typer.Option("--repo", help="A repository of repositories.yaml; again for more.", metavar="R")
    ] = None,
) -> None:
    """Commit and push the changes of all repositories at once; never forces, never commits secrets."""
    status = work.commit_all(PROJECT, repo or [], message, dry_run)
    if status:
        raise typer.Exit(status)
