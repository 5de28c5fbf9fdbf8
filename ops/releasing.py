"""The first release of services that were adopted: their `adopted` keys leave the configuration, and they are ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from contract import key_of
from ops import stackfile
from ops.engine import Engine
from ops.failures import Failure
from settings import Settings


def refuse_order(settings: Settings, services: Sequence[str], stack: str) -> None:
    """Raises Failure where the backend would be released before the api has our front, which keeps its reads going."""
    if "backend" in services and {"backend", "api"} <= set(settings.adopted):
        first = " ".join(name for name in settings.workers if name == "api" or name in services)
        raise Failure(
            "The api is still the Worker that was made by hand, whose logins fail while the backend's data is "
            f"carried to its new app, so the api goes first: oracle deploy {first} --stack {stack}, then: "
            f"oracle deploy backend --stack {stack}"
        )


def first_releases(settings: Settings, services: Sequence[str]) -> tuple[str, ...]:
    """Those of the services that still run as they were made by hand."""
    return tuple(name for name in settings.adopted if name in services)


def release(engine: Engine, services: Sequence[str]) -> None:
    """The services are no longer left alone. Raises Failure."""
    for name in services:
        engine.must("config", "rm", "--path", f"oracle-net:{key_of(name)}.adopted", "--stack", engine.stack.name)


@contextmanager
def as_if_released(engine: Engine, services: Sequence[str]) -> Iterator[None]:
    """The same for a preview: the configuration is as before afterwards."""
    file = engine.stack.file
    before = file.read_bytes()
    try:
        release(engine, services)
        yield
    finally:
        if services:
            stackfile.replace(file, before)
