"""Every acknowledged write is in what serves or in a backup, whatever is done to the network under load."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live import rpc_api
from tests.live.network_load import loaded
from tests.live.project import Project
from tests.live.story import RELEASE, STORY, WIPE, Operation, Story, table

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def project(brought_up: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that is up, and whose API is used over sockets."""
    made = brought_up.copy(tmp_path_factory.mktemp("copy") / "project")
    rpc_api.install(made)
    try:
        made.oracle("up").well()
        yield made
    finally:
        made.stop()


def assert_no_write_is_lost(project: Project, name: str, *operations: Operation) -> None:
    with loaded(project, name) as load:
        story = Story(project, load)
        for operation in operations:
            story.run(operation)
    print(f"\n{table(story.rows)}")
    assert all(row.acknowledged for row in story.rows), table(story.rows)
    assert not [problem for row in story.rows for problem in row.problems], table(story.rows)


@pytest.mark.timeout(900)
def test_a_release_and_a_wipe_lose_no_write(project: Project) -> None:
    assert_no_write_is_lost(project, "short", RELEASE, WIPE)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_no_operation_loses_a_write(project: Project) -> None:
    """One story under one load: three releases in a row, wipe, undo, restart, rotation and rollback."""
    assert_no_write_is_lost(project, "story", *STORY)
