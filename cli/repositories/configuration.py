"""The project's repositories, with the configuration's errors as the command shows them."""

from __future__ import annotations

from pathlib import Path

from cli.ui.errors import CommandError
from repositories.configuration import ConfigurationError, Repositories, Repository, load


def configured(project: Path) -> Repositories:
    """What `repositories.yaml` says. Raises CommandError."""
    try:
        return load(project)
    except ConfigurationError as error:
        raise CommandError(str(error)) from None


def chosen(project: Path, names: list[str]) -> tuple[Repository, ...]:
    """The repositories of these names, all when there are none. Raises CommandError."""
    try:
        return configured(project).named(names)
    except ConfigurationError as error:
        raise CommandError(str(error)) from None
