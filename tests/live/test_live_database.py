"""Password repairs, backups and releases do not damage the running database."""

from __future__ import annotations

import pytest

from clients.http import client
from tests.live import network
from tests.live.databases import PROCESSES, deleted_files
from tests.live.project import Project
from tests.live.story import change_backend

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(not PROCESSES.is_dir(), reason="only Linux shows the open files of a process so"),
]
TIMES = 2
WRITES = 3


def change_password(project: Project, password: str) -> None:
    """As the dashboard does it: the program is not asked."""
    email = project.outputs()["adminEmail"]
    listed = network.admin(project, "GET", f"/api/collections/_superusers/records?filter=email='{email}'")["items"]
    body = {"password": password, "passwordConfirm": password}
    network.admin(project, "PATCH", f"/api/collections/_superusers/records/{listed[0]['id']}", body)


def logs_in(project: Project) -> bool:
    """Whether the API's login as the admin works."""
    with client() as http:
        return bool(http.get(f"{project.outputs()['apiUrl']}/api/admin/check").json()["admin"])


def assert_intact(project: Project, written: set[str]) -> None:
    assert not deleted_files(project.root)
    assert written <= network.titles(project), "every write is there, and the admin's login works"
    assert logs_in(project)


def back_up_repair_and_write(project: Project, number: int, written: set[str]) -> None:
    project.oracle("backup").well()
    assert_intact(project, written)
    change_password(project, f"changed-by-hand-{number}")
    assert not logs_in(project)
    project.oracle("up").well()
    assert_intact(project, written)
    for each in range(WRITES):
        title = f"after repair {number} {each}"
        network.say(project, title)
        written.add(title)
    project.oracle("backup").well()
    assert_intact(project, written)


def release(project: Project, written: set[str]) -> None:
    change_backend(project)
    project.oracle("deploy", "backend", "--yes").well()
    assert_intact(project, written)


@pytest.mark.timeout(900)
def test_repairs_and_releases_in_a_row_lose_no_write(project: Project) -> None:
    """Each repair comes between two backups. More of them in a row: tests/chaos/endurance.py."""
    written: set[str] = set()
    for number in range(1, TIMES + 1):
        back_up_repair_and_write(project, number, written)
        release(project, written)
