"""What the services' tests share: the tools, and running backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.backend import ADMIN, Backend
from toolchain.tools import Tools, locate

RunBackend = Callable[..., Backend]


@pytest.fixture(scope="session")
def tools() -> Tools:
    return locate()


@pytest.fixture
def run_backend(tools: Tools, tmp_path: Path) -> Iterator[RunBackend]:
    """run_backend(NAME=value, ...) starts a backend of its own with that environment; it stops with the test.

    It is in tmp_path / "backend", made when it is not there: the reference backend as it is with original=True.
    """
    with ExitStack() as stack:

        def run(original: bool = False, **env: str) -> Backend:
            return stack.enter_context(Backend(tmp_path / "backend", tools.pocketbase, env, original=original))

        yield run


@pytest.fixture(scope="module")
def backend(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend that a module's tests share: release r1, generation 3, with the admin ADMIN."""
    env = {"RELEASE": "r1", "GENERATION": "3", "PB_ADMIN_EMAIL": ADMIN[0], "PB_ADMIN_PASSWORD": ADMIN[1]}
    with Backend(tmp_path_factory.mktemp("shared") / "backend", tools.pocketbase, env) as running:
        yield running
