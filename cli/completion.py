"""Tab completion of arguments, chosen by the argument's placeholder in the help. No completion uses the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_type_hints

import typer
from typer.models import ParameterInfo

from cli.engine.workspace import FIRST, PROJECT, Stack, stack_names
from errors import UserError
from settings import PROJECT as PROJECT_NAME


def complete(*functions: Callable[..., Any] | None) -> None:
    """Set the completion of each parameter whose placeholder is in `BY_METAVAR`."""
    for function in functions:
        hints = get_type_hints(function, include_extras=True)
        for parameter in (each for hint in hints.values() for each in getattr(hint, "__metadata__", ())):
            if isinstance(parameter, ParameterInfo) and parameter.autocompletion is None:
                parameter.autocompletion = BY_METAVAR.get((parameter.metavar or "").strip("[]."))
        if function is not None:
            function.__annotations__ = hints  # Typer would evaluate text annotations anew and lose the completion


def stacks(incomplete: str) -> list[str]:
    """Return the stacks that have a `Pulumi.<stack>.yaml`, and the first stack, whose file `oracle up` writes."""
    return sorted(name for name in {FIRST, *stack_names(PROJECT)} if name.startswith(incomplete))


def services(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the services of the stack on the command line, or of the first stack that has a file."""
    requested = ctx.params.get("stack") or FIRST
    try:
        stack = next(
            (Stack(name) for name in (requested, *sorted(stack_names(PROJECT))) if Stack(name).file.is_file()), None
        )
        settings = stack.settings() if stack else None
    except UserError:
        return []
    if settings is None:
        return []
    scripts = {"backend": settings.backend.app_name} | {name: each.script for name, each in settings.workers.items()}
    return [(name, script) for name, script in scripts.items() if name.startswith(incomplete)]


def runs(incomplete: str) -> list[str]:
    """Return the ids of the recorded runs, newest first."""
    folder = PROJECT / ".oracle" / "runs"
    return sorted((run.parent.name for run in folder.glob(f"*/*/*/{_plain(incomplete)}*/run.json")), reverse=True)


def repositories(incomplete: str) -> list[str]:
    from repositories.configuration import load

    try:
        return [each.name for each in load(PROJECT).repositories if each.name.startswith(incomplete)]
    except UserError:
        return []


def backups(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the stack's backups on this machine, newest first. Backups in a bucket would need the network."""
    from storage.backups import Folder, open_store

    try:
        stack = Stack(str(ctx.params.get("stack") or "local"))
        settings = stack.settings()
        store = open_store(settings.backup.store, stack.project, settings.backup.endpoint, settings.backup.region)
        names = store.names("") if isinstance(store, Folder) else []
    except UserError:
        return []
    # Any organization matches, because only the engine knows which one the state belongs to.
    paths = [name.removesuffix(".json").split("/") for name in names if name.endswith(".json")]
    ids = {path[3] for path in paths if len(path) == 4 and path[1:3] == [PROJECT_NAME, stack.name]}
    return sorted((id for id in ids if id.startswith(incomplete)), reverse=True)


def _plain(text: str) -> str:
    """Remove the characters that have a meaning in a file name pattern."""
    return "".join(each for each in text if each.isalnum() or each in "-_.")


BY_METAVAR: dict[str, Callable[..., Any]] = {
    "STACK": stacks,
    "SERVICE": services,
    "RUN": runs,
    "BACKUP": backups,
    "R": repositories,
}
"""Completions by placeholder, without its brackets and dots."""
