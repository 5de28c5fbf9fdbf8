"""One local cloud that tests share, and one for each test that ends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localcloud.account import Account
from tests.support.cloud import RunningCloud, children_of
from tests.support.waiting import free_port


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A running local cloud that tests share; each module leaves it without apps."""
    with_state = RunningCloud(tmp_path_factory.mktemp("cloud") / "state", free_port(), free_port())
    try:
        yield with_state.start()
    finally:
        assert with_state.stop() == 0


@pytest.fixture
def own_cloud(tmp_path: Path) -> Iterator[RunningCloud]:
    """A running local cloud of a test's own, to stop, kill and start again."""
    with_state = RunningCloud(tmp_path / "state", free_port(), free_port())
    try:
        yield with_state.start()
    finally:
        with_state.stop()
        for left in children_of(with_state.root):  # by a kill, which puts nothing in order
            left.kill()


@pytest.fixture(scope="module")
def account(cloud: RunningCloud) -> Iterator[Account]:
    """The shared cloud's DigitalOcean account."""
    with Account(cloud) as opened:
        yield opened
        opened.delete_all()


@pytest.fixture(autouse=True)
def no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Faults that a test asked for end with it."""
    yield
    if "account" in request.fixturenames:
        request.getfixturevalue("account").clear_faults()
