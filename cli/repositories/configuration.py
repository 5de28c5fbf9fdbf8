"""The project's repositories. Errors in their configuration become CommandErrors."""

from __future__ import annotations

from pathlib import Path

from cli.ui.errors import CommandError
from repositories.configuration import ConfigurationError, Repositories, Repository, load


def configured(project: Path) -> Repositories:
    """Load `repositories.yaml`. Raises CommandError."""
    try:
        return load(project)
    except ConfigurationError as error:
        raise CommandError(str(error)) from None


def chosen(project: Path, names: list[str]) -> tuple[Repository, ...]:
    """Return the repositories with these names, or all without names. Raises CommandError."""
    try:
        return configured(project).named(names)
    except ConfigurationError as error:
        raise CommandError(str(error)) from None
