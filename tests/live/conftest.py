"""Live tests: the real engine, PocketBase and workerd, on a local cloud of the tests' own."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.project import Project


@pytest.fixture(scope="session")
def brought_up(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was up once, and whose cloud has stopped: what modules copy instead of a bring-up of their own.

    The first of pytest's processes that needs it makes it for all of them.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (shared / "brought-up.done").open("a+") as done:
        fcntl.flock(done, fcntl.LOCK_EX)
        if not done.tell():
            _bring_up(shared / "brought-up")
            done.write("done")
    return Project(shared / "brought-up")


def _bring_up(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)  # another process's, which failed
    made = Project.copied(root)
    try:
        made.oracle("up").well()
    finally:
        made.stop()


@pytest.fixture(scope="module")
def project(brought_up: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project of the module's own that is up; the module's tests share it, and leave it converged."""
    made = brought_up.copy(tmp_path_factory.mktemp("copy") / "project")
    try:
        made.start()
        yield made
    finally:
        made.stop()
