"""What Tab offers for an argument, by what the argument is called in the help. Nothing is asked of a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_type_hints

import typer
from typer.models import ParameterInfo

from cli.engine.workspace import FIRST, PROJECT, Stack, get_or_none
from cli.ui.errors import CommandError
from settings import PROJECT as PROJECT_NAME


def complete(*functions: Callable[..., Any] | None) -> None:
    """Gives every parameter of these commands, whose kind of value is known, its completion."""
    for function in functions:
        hints = get_type_hints(function, include_extras=True)
        for told in (each for hint in hints.values() for each in getattr(hint, "__metadata__", ())):
            if isinstance(told, ParameterInfo) and told.autocompletion is None:
                told.autocompletion = BY_METAVAR.get((told.metavar or "").strip("[]."))
        if function is not None:
            function.__annotations__ = hints  # annotations that are text would be made anew for Typer


def stacks(incomplete: str) -> list[str]:
    """From `Pulumi.<stack>.yaml`; the first one's is written when it is brought up."""
    return sorted(name for name in {FIRST, *get_or_none(PROJECT)} if name.startswith(incomplete))


def services(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Those of the stack that the command line names, or of the first one that there is."""
    asked = ctx.params.get("stack") or FIRST
    try:
        stack = next(
            (Stack(name) for name in (asked, *sorted(get_or_none(PROJECT))) if Stack(name).file.is_file()), None
        )
        settings = stack.settings() if stack else None
    except CommandError:
        return []
    if settings is None:
        return []
    told = {"backend": settings.backend.app_name} | {name: each.script for name, each in settings.workers.items()}
    return [(name, what) for name, what in told.items() if name.startswith(incomplete)]


def runs(incomplete: str) -> list[str]:
    """The newest first."""
    kept = PROJECT / ".oracle" / "runs"
    return sorted((run.parent.name for run in kept.glob(f"*/*/*/{_plain(incomplete)}*/run.json")), reverse=True)


def repositories(incomplete: str) -> list[str]:
    from cli.repositories.configuration import configured

    try:
        return [each.name for each in configured(PROJECT).repositories if each.name.startswith(incomplete)]
    except CommandError:
        return []


def backups(ctx: typer.Context, incomplete: str) -> list[str]:
    """The newest first. Only those on this machine: a bucket would have to be asked over the network."""
    from storage.backups import BackupsError, Folder, open_store

    try:
        stack = Stack(str(ctx.params.get("stack") or "local"))
        settings = stack.settings()
        store = open_store(settings.backup.store, stack.project, settings.backup.endpoint, settings.backup.region)
        names = store.names("") if isinstance(store, Folder) else []
    except (CommandError, BackupsError):
        return []
    # Whose state it is, only the engine can say: the organization may be any.
    paths = [name.removesuffix(".json").split("/") for name in names if name.endswith(".json")]
    ids = {path[3] for path in paths if len(path) == 4 and path[1:3] == [PROJECT_NAME, stack.name]}
    return sorted((id for id in ids if id.startswith(incomplete)), reverse=True)


def _plain(text: str) -> str:
    """Without what a pattern of file names means something by."""
    return "".join(each for each in text if each.isalnum() or each in "-_.")


BY_METAVAR: dict[str, Callable[..., Any]] = {
    "STACK": stacks,
    "SERVICE": services,
    "RUN": runs,
    "BACKUP": backups,
    "R": repositories,
}
"""The names without what says that there may be none or many."""
