"""Live tests: the real engine, PocketBase and workerd, on a local cloud of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.project import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project of the module's own that is up; the module's tests share it, and leave it converged."""
    made = Project.copied(tmp_path_factory.mktemp("project"))
    try:
        made.oracle("up").well()
        yield made
    finally:
        made.stop()
