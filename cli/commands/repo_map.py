"""`oracle repo-map`: the map of the repositories, written or checked."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.engine.workspace import PROJECT
from cli.repositories import repo_map as work


def repo_map(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when the map is stale.")] = False,
) -> None:
    """Write REPO_MAP.md, between its two marks: every repository, its commit and version, where it is deployed."""
    typer.echo(work.repo_map(PROJECT, check))
