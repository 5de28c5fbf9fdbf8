"""The verdicts of the chaos story (lost writes, problems), on a simulated network. Each test can run alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.live import story
from tests.live.network_load import NetworkLoad
from tests.live.project import Done, Project
from tests.live.story import RELEASE, WIPE, Operation, Row, Story, sums, table
from tests.live.tally import RESTART, Tally


class MadeUpProject(Project):
    def outputs(self) -> dict[str, Any]:
        return {"backendUrl": "http://127.0.0.1:9"}


class MadeUpLoad(NetworkLoad):
    """A load whose only writes are the titles that a test acknowledges by `tally`."""

    @contextmanager
    def operation(self, name: str, backend: str) -> Iterator[Tally]:
        self._begin(name)
        yield self.tally
        self.tally.end()


class MadeUp:
    """A story on a network whose backend holds `serving`, and whose backups hold `backups`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.serving: set[str] = set()
        self.backups: set[str] = set()
        self.files: list[str] = []
        self.load = MadeUpLoad("", "", "test")
        self.story = Story(MadeUpProject(root), self.load)
        monkeypatch.setattr(self.story.records, "serving", lambda _: set(self.serving))
        monkeypatch.setattr(self.story.records, "backed_up", lambda: set(self.backups))
        monkeypatch.setattr(story, "deleted_files", lambda _: self.files)

    def carry_out(self, operation: Operation, title: str, serving: set[str], status: int = 0) -> Row:
        """The operation, in which `title` is acknowledged, and after which the backend holds `serving`."""

        def work() -> Done:
            self.load.tally.acknowledge("writer", title)
            self.serving = serving
            return Done(status, "said")

        return self.story.observe(operation, work)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MadeUp:
    return MadeUp(monkeypatch, tmp_path)


def test_a_write_in_the_serving_backend_or_in_a_backup_is_not_lost(made_up: MadeUp) -> None:
    made_up.backups = {"one"}
    assert made_up.carry_out(WIPE, "one", set()).problems == []
    row = made_up.carry_out(RELEASE, "two", {"two"})
    assert (row.acknowledged, row.lost, row.problems) == (1, 0, [])


def test_a_missing_write_is_counted_as_lost_once(made_up: MadeUp) -> None:
    row = made_up.carry_out(WIPE, "one", set())
    assert (row.lost, row.problems) == (1, ["lost: ['one']"])
    assert made_up.carry_out(RELEASE, "two", {"two"}).lost == 0


def test_a_release_must_migrate_every_write_even_if_a_backup_has_it(made_up: MadeUp) -> None:
    made_up.serving, made_up.backups = {"before"}, {"before", "during"}
    assert made_up.carry_out(RELEASE, "during", set()).lost == 2


def test_a_failed_command_and_deleted_files_are_problems(made_up: MadeUp) -> None:
    made_up.files = ["1: data.db-wal (deleted)"]
    row = made_up.carry_out(WIPE, "one", {"one"}, status=1)
    assert row.problems == ["exit status 1: said", "deleted files are open: ['1: data.db-wal (deleted)']"]


def test_failed_reads_and_other_close_codes_are_problems(made_up: MadeUp) -> None:
    def work() -> Done:
        made_up.load.tally.read("reader", "500", "Failed to authenticate.")
        made_up.load.tally.close(1006)
        made_up.load.tally.close(RESTART)
        made_up.load.tally.fail("writer", "401")
        return Done(0, "")

    row = made_up.story.observe(WIPE, work)
    *problems, failures = row.problems
    assert problems == ["failed reads: {'reader 500': 1}", "sockets closed with other codes than 1012: {1006: 1}"]
    assert "reader: 500 Failed to authenticate.; " in failures
    assert "| wipe | 0 | 0 | 0 | 0 | 0 | 1 x 1006, 1 x 1012 |" in table([row])
    row = made_up.story.observe(RELEASE, work)
    assert "failed writes: {'writer 401': 1}" in row.problems


def test_sums_are_per_operation_with_the_longest_window() -> None:
    rows = [Row("wipe", seconds=1, lost=1, longest=3.0), Row("release"), Row("wipe", 1, seconds=2, lost=2, longest=2.0)]
    [wipe, release] = sums(rows)
    assert (wipe.status, wipe.seconds, wipe.lost, wipe.longest) == (1, 3, 3, 3.0)
    assert release == Row("release")
