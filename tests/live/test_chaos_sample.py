"""Two runs of `make chaos`: a kill -9 and a refused call during a wipe. Each test can run alone."""

from __future__ import annotations

import pytest

from tests.chaos.calls import APPS, Call
from tests.chaos.kills import STARTING, Kill
from tests.chaos.runs import Row, Runner
from tests.chaos.scenarios import SCENARIOS
from tests.live.project import Project

pytestmark = [pytest.mark.live, pytest.mark.chaos]

WIPE = SCENARIOS["wipe"]


def assert_put_right(row: Row, ended: str) -> None:
    assert row.ended == ended, row
    assert row.complaints == [], row
    assert row.up == "ok", row
    assert (row.lost, row.silent) == (0, 0), row


@pytest.mark.slow
def test_a_kill_of_all_processes_while_the_new_backend_starts_is_repaired(project: Project) -> None:
    assert_put_right(Runner(project).killed(WIPE, Kill("everything", STARTING)), "killed")


@pytest.mark.slow
def test_a_backup_that_cannot_be_downloaded_does_not_delete_the_backend(project: Project) -> None:
    download = Call("GET", "/api/backups/*", APPS, 1, 1)
    assert_put_right(Runner(project).faulty(WIPE, download), "failed")
