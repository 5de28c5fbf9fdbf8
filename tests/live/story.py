"""Operations on a network under load, and what each of them was seen to do to the data, the reads and the sockets."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from clients.http import client
from tests.chaos.watch import titles as archived_titles
from tests.live.databases import deleted_files
from tests.live.network_load import NetworkLoad
from tests.live.project import Done, Project
from tests.live.tally import RESTART, Tally

HOOK = "services/backend/pb_hooks/version.pb.js"
RECEIPT = "oracle-net:receipt"
HEAD = (
    "| operation | status | seconds | acknowledged | lost | refused | sockets closed | longest window | failed reads | "
    "failed writes |"
)
SHOWN = 20
RULE = "|---|--:|--:|--:|--:|--:|---|--:|--:|--:|"


def _nothing(_: Project) -> None:
    """Nothing is to be done before."""


def change_backend(project: Project) -> None:
    """Change the backend's image, and let the sources be deployed again where a rollback has left a receipt."""
    if RECEIPT in project.config:
        project.pulumi("config", "rm", RECEIPT, "--stack", project.stack).well()
    with (project.root / HOOK).open("a") as file:
        file.write(f"// Changed at {time.time_ns()}.\n")


@dataclass(frozen=True)
class Operation:
    """`prepare` changes what is declared, `command` carries it out."""

    name: str
    command: tuple[str, ...]
    carries: bool
    """Whether all that was in the backend before is in it afterwards."""
    prepare: Callable[[Project], None] = _nothing
    spares_writes: bool = True
    """Whether people's logins go on working, so that no write fails other than by a refusal or a closed socket."""
    spares_reads: bool = True
    """Whether no read fails, and sockets are closed with RESTART only."""


RELEASE = Operation("release", ("deploy", "backend", "--yes"), carries=True, prepare=change_backend)
WIPE = Operation("wipe", ("wipe", "--yes"), carries=False, spares_writes=False)
UNDO = Operation("undo", ("wipe", "--undo", "--yes"), carries=False, spares_writes=False)
RESTARTED = Operation("restart", ("wipe", "--restart", "--yes"), carries=False, spares_writes=False)
ROTATION = Operation("rotation", ("rotate", "admin"), carries=True)
ROLLBACK = Operation("rollback", ("rollback", "local", "--yes"), carries=True)
OPERATIONS = {each.name: each for each in (RELEASE, WIPE, UNDO, RESTARTED, ROTATION, ROLLBACK)}
STORY = (RELEASE, RELEASE, RELEASE, WIPE, UNDO, RESTARTED, ROTATION, ROLLBACK)


@dataclass
class Row:
    """What an operation was seen to do."""

    operation: str
    status: int = 0
    seconds: float = 0.0
    acknowledged: int = 0
    lost: int = 0
    refused: int = 0
    closed: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0
    failed_reads: Counter[str] = field(default_factory=Counter)
    failed_writes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        closed = ", ".join(f"{count} x {code}" for code, count in sorted(self.closed.items())) or "none"
        cells = [self.operation, self.status, f"{self.seconds:.0f}", self.acknowledged, self.lost, self.refused, closed]
        cells += [f"{self.longest:.1f}", self.failed_reads.total(), self.failed_writes.total()]
        return f"| {' | '.join(str(cell) for cell in cells)} |"

    def __add__(self, other: Row) -> Row:
        """The sums of two rows of one operation; of the windows the longer one."""
        return Row(
            self.operation,
            max(self.status, other.status),
            self.seconds + other.seconds,
            self.acknowledged + other.acknowledged,
            self.lost + other.lost,
            self.refused + other.refused,
            self.closed + other.closed,
            max(self.longest, other.longest),
            self.failed_reads + other.failed_reads,
            self.failed_writes + other.failed_writes,
            self.problems + other.problems,
        )


def table(rows: Iterable[Row]) -> str:
    """The rows as Markdown, and below it what was wrong."""
    rows = list(rows)
    wrong = [f"{row.operation}: {problem}" for row in rows for problem in row.problems]
    return "\n".join([HEAD, RULE, *(row.line() for row in rows), *wrong])


def sums(rows: Iterable[Row]) -> list[Row]:
    """One row for each operation."""
    summed: dict[str, Row] = {}
    for row in rows:
        summed[row.operation] = summed[row.operation] + row if row.operation in summed else row
    return list(summed.values())


@dataclass
class Records:
    """Where the posts of a project are: in the backend that serves, and in its backups."""

    project: Project
    _archives: dict[Path, set[str]] = field(default_factory=dict)

    def serving(self, backend: str) -> set[str]:
        """The titles that the backend at this address holds."""
        found: set[str] = set()
        with client(timeout=60) as http:
            for page in range(1, 1000):
                query = f"perPage=1000&page={page}&sort=created,id&fields=title&skipTotal=1"
                answer = http.get(f"{backend}/api/collections/posts/records?{query}")
                assert answer.status_code == 200, answer.text
                titles = [item["title"] for item in answer.json()["items"]]
                found.update(titles)
                if not titles:
                    break
        return found

    def backed_up(self) -> set[str]:
        """The titles in any verified backup that was ever seen; a manifest is written once its archive was verified."""
        for manifest in self.project.root.glob(".oracle/backups/*/*/*/*.json"):
            archive = manifest.with_suffix(".zip")
            if archive not in self._archives and archive.exists():
                self._archives[archive] = archived_titles(archive)
        return set().union(*self._archives.values())


@dataclass
class Story:
    """Runs one operation after another on a network under load, and looks at the outcome of each."""

    project: Project
    load: NetworkLoad
    backup_before: bool = True
    """Take a backup before each operation: PocketBase's backup is what makes a second process on a database harmful."""
    rows: list[Row] = field(default_factory=list)
    records: Records = field(init=False)
    _lost: set[str] = field(default_factory=set)
    """What earlier operations have lost, so that each loss counts once."""

    def __post_init__(self) -> None:
        self.records = Records(self.project)

    def run(self, operation: Operation) -> Row:
        """Carry out the operation; the row says what was wrong, and nothing is raised for it."""
        if self.backup_before:
            self.project.oracle("backup").well()
        return self.observe(operation, lambda: self._carry_out(operation))

    def observe(self, operation: Operation, carry_out: Callable[[], Done]) -> Row:
        """Let something be carried out under load, and look where every acknowledged write is."""
        row = Row(operation.name)
        self.rows.append(row)
        backend = str(self.project.outputs()["backendUrl"])
        before = self.records.serving(backend) if operation.carries else set()
        try:
            with self.load.operation(operation.name, backend) as tally:
                began = time.monotonic()
                done = carry_out()
                row.seconds, row.status = time.monotonic() - began, done.status
        except TimeoutError as error:
            row.problems.append(str(error))
            tally = self.load.tally
        if row.status:
            row.problems.append(f"exit status {row.status}: {done.output[-1500:]}")
        self._count(row, tally, operation, before)
        return row

    def _carry_out(self, operation: Operation) -> Done:
        operation.prepare(self.project)
        return self.project.oracle(*operation.command)

    def _count(self, row: Row, tally: Tally, operation: Operation, before: set[str]) -> None:
        # Titles first: what is acknowledged later may be in none of the places that are looked at.
        during, ever = tally.titles(), self.load.acknowledged()
        serving = self.records.serving(str(self.project.outputs()["backendUrl"]))
        lost = ever - serving - self.records.backed_up()
        if operation.carries:
            lost |= (before | during) - serving
        lost, self._lost = lost - self._lost, lost | self._lost
        row.acknowledged, row.lost, row.refused = len(during), len(lost), tally.refused
        row.closed, row.longest = tally.closed, tally.longest
        row.failed_reads, row.failed_writes = tally.failed_reads, tally.failed_writes
        row.problems += _problems(row, operation)
        if row.problems and tally.failures:
            row.problems.append(f"failures: {'; '.join(tally.failures[:SHOWN])}")
        if lost:
            row.problems.append(f"lost: {sorted(lost)[:SHOWN]}")
        if files := deleted_files(self.project.root):
            row.problems.append(f"deleted files are open: {files}")


def _problems(row: Row, operation: Operation) -> list[str]:
    found = []
    if row.failed_reads and operation.spares_reads:
        found.append(f"failed reads: {dict(row.failed_reads)}")
    others = {code: count for code, count in row.closed.items() if code != RESTART}
    if others and operation.spares_reads:
        found.append(f"sockets closed with other codes than {RESTART}: {others}")
    if row.failed_writes and operation.spares_writes:
        found.append(f"failed writes: {dict(row.failed_writes)}")
    return found
