"""Three of the runs of `make chaos`: a kill -9, a refused call and a lost answer, each at a bad moment of a wipe."""

from __future__ import annotations

import pytest

from tests.chaos.calls import Call
from tests.chaos.kills import DELETED, Kill
from tests.chaos.runs import Row, Runner
from tests.chaos.scenarios import SCENARIOS
from tests.live.project import Project

pytestmark = [pytest.mark.live, pytest.mark.chaos]

WIPE = SCENARIOS["wipe"]


def assert_put_right(row: Row, ended: str) -> None:
    assert row.ended == ended, row
    assert row.complaints == [], row
    assert row.up == "ok", row
    assert row.lost == 0, row


def test_everything_killed_while_the_old_backend_is_deleted(project: Project) -> None:
    assert_put_right(Runner(project).killed(WIPE, Kill("everything", DELETED)), "killed")


def test_the_api_does_not_move(project: Project) -> None:
    call = Call("PUT", "/client/v4/accounts/*/workers/scripts/oracle-universe-api", None, 1, 1)
    assert_put_right(Runner(project).faulty(WIPE, call), "failed")


def test_a_backup_whose_download_is_refused_keeps_the_old_backend(project: Project) -> None:
    call = Call("GET", "/api/backups/*", "jellyfish-app*", 1, 1)
    row = Runner(project).faulty(WIPE, call)
    assert_put_right(row, "failed")
    assert row.silent == 0, row
