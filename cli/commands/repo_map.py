"""`oracle repo-map`: write or check REPO_MAP.md."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.engine.workspace import PROJECT
from cli.repositories import repo_map as work


def repo_map(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if the map is out of date.")] = False,
) -> None:
    """Write the table in REPO_MAP.md, between its marks: each repository, its commit, version and deployments."""
    typer.echo(work.repo_map(PROJECT, check))
