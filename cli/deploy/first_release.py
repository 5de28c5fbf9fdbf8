"""The first release of adopted services: remove their `adopted` keys, so that the program deploys them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cli.engine import stack_file
from cli.engine.pulumi import Engine
from cli.ui.errors import CommandError
from errors import Fix
from settings import Settings
from stack_outputs import key_of


def refuse_order(settings: Settings, services: Sequence[str], stack: str) -> None:
    """Raise CommandError if the backend would be released before the api has our write gate.

    The write gate keeps reads working while the backend's data is migrated.
    """
    if "backend" in services and {"backend", "api"} <= set(settings.adopted):
        first = " ".join(name for name in settings.workers if name == "api" or name in services)
        raise CommandError(
            "The api is still the Worker that was made by hand, whose logins would fail during the migration of the "
            "backend's data, so the api has to be deployed before the backend.",
            Fix(f"oracle deploy {first} --stack {stack}", then=f"oracle deploy backend --stack {stack}"),
        )


def first_releases(settings: Settings, services: Sequence[str]) -> tuple[str, ...]:
    """Return those of the services that still run as they were adopted."""
    return tuple(name for name in settings.adopted if name in services)


def release(engine: Engine, services: Sequence[str]) -> None:
    """Remove the `adopted` keys of the services. Raises CommandError."""
    for name in services:
        engine.run_checked("config", "rm", "--path", f"oracle-net:{key_of(name)}.adopted", "--stack", engine.stack.name)


@contextmanager
def without_adopted_keys(engine: Engine, services: Sequence[str]) -> Iterator[None]:
    """Remove the keys for a preview, and restore the configuration afterwards."""
    file = engine.stack.file
    before = file.read_bytes()
    try:
        release(engine, services)
        yield
    finally:
        if services:
            stack_file.replace(file, before)
