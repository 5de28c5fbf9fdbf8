"""What the tests of PocketBase's client share: two backends that know nothing of each other."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from clients.pocketbase import Login, login
from tests.support.backend import ADMIN, Backend
from toolchain.tools import locate

ENVIRONMENT = {"PB_ADMIN_EMAIL": ADMIN[0], "PB_ADMIN_PASSWORD": ADMIN[1]}
Start = Callable[..., Backend]


def session_of(backend: Backend) -> Login:
    session = login(backend.url, *ADMIN)
    assert session is not None
    return session


@pytest.fixture(scope="session")
def started_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """started_once(name) is the folder of a backend that has stopped: its migrations are done, and its admin is there.

    Copies of it are one backend's. Those of two names know nothing of each other.
    """

    @cache
    def run(name: str) -> Path:
        with Backend(tmp_path_factory.mktemp("backend") / name, locate().pocketbase, ENVIRONMENT) as backend:
            return backend.folder

    return run


@pytest.fixture
def start(started_once: Callable[[str], Path], tmp_path: Path) -> Iterator[Start]:
    """start(name) runs a backend of its own with the admin ADMIN, or a copy of the one in `folder`; it stops with the
    test.
    """
    with ExitStack() as stack:

        def run(name: str, folder: Path | None = None) -> Backend:
            shutil.copytree(folder or started_once(name), tmp_path / name)
            return stack.enter_context(Backend(tmp_path / name, locate().pocketbase, ENVIRONMENT))

        yield run


@pytest.fixture
def backend(start: Start) -> Backend:
    return start("a")


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


class Blocked:
    """A named pipe among the backend's data: a backup of it waits there until somebody writes."""

    def __init__(self, backend: Backend) -> None:
        self.path = backend.folder / "pb_data" / "zzz-waits"
        os.mkfifo(self.path)

    def release(self) -> None:
        self.path.write_bytes(b"")
        self.path.unlink()
