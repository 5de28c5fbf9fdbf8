"""Live tests: the real engine, PocketBase and workerd, on a local cloud of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.project import Project


@pytest.fixture(scope="session")
def brought_up(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was up once, and whose cloud has stopped: what modules copy instead of a bring-up of their own."""
    made = Project.copied(tmp_path_factory.mktemp("brought-up"))
    try:
        made.oracle("up").well()
    finally:
        made.stop()
    return made


@pytest.fixture(scope="module")
def project(brought_up: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project of the module's own that is up; the module's tests share it, and leave it converged."""
    made = brought_up.copy(tmp_path_factory.mktemp("copy") / "project")
    try:
        made.start()
        yield made
    finally:
        made.stop()
