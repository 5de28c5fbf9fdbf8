"""Records of runs: each deploy, wipe, restore and update, written while it happens, so that no terminal is needed.

A run is a folder `.oracle/runs/<organization>/<project>/<stack>/<id>/`: `run.json` (the fields of `RunInfo`),
`output.log` (the text as printed) and `events.jsonl` (one JSON object a line, see cli/engine/events.py). Only the user
may read them. They contain no secret: the engine hides secrets in its text, and only names, kinds and times of its
events are stored.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

import advice
from atomic_write import atomic_write
from cli.engine.events import Step, read_steps
from cli.engine.workspace import FIRST
from cli.ui.errors import CommandError
from errors import Fix, Remedy, UserError
from stack_outputs import Owner
from storage.backups import who
from storage.backups.files import private_folder

AFTER, PINNED = "after.yaml", "pinned.json"
"""Files of a run: the stack's file after the change, and the services that do not change (PinnedServices)."""
LIST_RUNS = Fix("oracle runs", "to see the runs")
MAX_RUNS = 200
"""The runs stored for a stack; older ones are removed when a new one starts."""


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """A run's record; `status` is running, ok, failed or killed."""

    id: str
    kind: str
    owner: str
    """The full name of the run's stack (stack_outputs.Owner)."""
    who: str
    began: str
    """ISO 8601, UTC."""
    clock: float
    """The start in seconds since the epoch."""
    ended: str | None
    seconds: float | None
    status: str
    error: str
    """The text of the error with its fixes; empty unless failed or killed."""
    pid: int
    arguments: tuple[str, ...]
    result: Mapping[str, Any]
    """The run's result, depending on its kind."""
    folder: Path

    @property
    def stack(self) -> str:
        return Owner.of(self.owner).stack

    @property
    def output(self) -> Path:
        return self.folder / "output.log"

    @property
    def command(self) -> str:
        """The command that started the run, with the stack's name."""
        typed = shlex.join(["oracle", *self.arguments])
        named = {self.stack, f"--stack={self.stack}", f"-s{self.stack}"}
        return f"{typed} --stack {self.stack}" if named.isdisjoint(self.arguments) else typed

    @property
    def running(self) -> bool:
        return self.status == "running"

    def again(self) -> RunInfo:
        """Read the same run again."""
        return read(self.folder)


class Runs:
    """The runs of a project, of all its stacks, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, kind: str, owner: Owner, arguments: Sequence[str] = ()) -> Run:
        """Start a run, which belongs to this process at first. Raises CommandError while the stack has another run."""
        self.refuse_busy(owner)
        private_folder(self.folder / str(owner))
        self._remove_old(owner)
        folder = self._make_folder(kind, owner)
        run = Run(folder)
        run.write(
            id=folder.name, kind=kind, owner=str(owner), who=who(), began=_now(), ended=None, status="running",
            error="", arguments=list(arguments), result={}, clock=time.time(), **_this_process(),
        )  # fmt: skip
        (folder / "output.log").touch(mode=0o600)
        return run

    def refuse_busy(self, owner: Owner) -> None:
        """Raise CommandError while a run of the stack is running."""
        if busy := next((run for run in self.of(owner) if run.running), None):
            raise CommandError(
                f"Another run of {owner.stack} is in progress: {busy.kind} of {busy.who}, since {busy.began[:19]}Z, "
                f"process {busy.pid}.",
                Fix(f"oracle logs {busy.id} -f", "to follow it", then=Remedy.RETRY),
            )

    def list(self) -> list[RunInfo]:
        """Return all runs, newest first."""
        return _all(self.folder, "*/*/*/*/run.json")

    def of(self, owner: Owner) -> Sequence[RunInfo]:
        """Return the stack's runs, newest first."""
        return _all(self.folder / str(owner), "*/run.json")

    def find(self, prefix: str = "") -> RunInfo:
        """Return the run whose id begins or ends with `prefix`, or the newest without one. Raises CommandError."""
        all_runs = self.list()
        similar = [run for run in all_runs if run.id.startswith(prefix) or run.id.endswith(prefix)]
        matches = [run for run in all_runs if run.id == prefix] or similar
        if not matches:
            first = Fix(f"oracle up {FIRST}", "to start the first")
            raise CommandError(f"There is no run {prefix or 'yet'}.", LIST_RUNS if prefix else first)
        if prefix and len(matches) > 1:
            ids = ", ".join(run.id for run in matches[:3])
            raise CommandError(f"Several runs begin or end with {prefix}: {ids}.", LIST_RUNS)
        return matches[0]

    def _make_folder(self, kind: str, owner: Owner) -> Path:
        """Create a folder with a name that no run of any stack has, so that `oracle logs` needs only the run's id."""
        name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{kind}"
        for number in range(1, 1000):
            folder = self.folder / str(owner) / (name if number == 1 else f"{name}-{number}")
            if any(self.folder.glob(f"*/*/*/{folder.name}")):
                continue
            with suppress(FileExistsError):
                folder.mkdir(mode=0o700)
                return folder
        raise CommandError(f"{self.folder} has 999 runs of this second.", LIST_RUNS)

    def _remove_old(self, owner: Owner) -> None:
        for run in self.of(owner)[MAX_RUNS - 1 :]:
            shutil.rmtree(run.folder, ignore_errors=True)


class Run:
    """A run that is being written. A context manager: it ends the run, unless another process has taken it over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.folder.exists():
            return  # it was discarded
        record = self._record()
        if record["status"] != "running" or record["pid"] != os.getpid():
            return
        if error is None:
            self.end()
        else:
            self.end(self._text(error))

    def _text(self, error: BaseException) -> str:
        if isinstance(error, UserError):
            return advice.text(error, self.info.stack, self.info.command)
        return "interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__

    @property
    def info(self) -> RunInfo:
        return read(self.folder)

    @property
    def clock(self) -> float:
        """The time when the run began, in seconds since the epoch."""
        return float(self._record()["clock"])

    @property
    def task(self) -> dict[str, Any]:
        """The task for the process that takes the run over."""
        return dict(self._record().get("task") or {})

    def write(self, **values: Any) -> None:
        """Change values of the record atomically, so that a reader gets the old or the new record."""
        path = self.folder / "run.json"
        record = self._record() if path.exists() else {}
        atomic_write(path, json.dumps({**record, **values}, indent=1).encode())

    def add_file(self, name: str, content: bytes) -> Path:
        """Write a file of the run that only its user may read; return its path."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        return path

    def take_over(self) -> None:
        """Make the run this process's."""
        self.write(**_this_process())

    def say(self, text: str) -> None:
        """Add lines to the run's output."""
        with (self.folder / "output.log").open("a") as log:
            log.write(f"{text}\n")

    def end(self, error: str | None = None, **result: Any) -> None:
        """Record the run's end, as ok if there is no error, with its `result`."""
        began = self.clock
        self.write(
            status="ok" if error is None else "failed",
            error=error or "",
            ended=_now(),
            seconds=round(time.time() - began, 3),
            **({"result": result} if result else {}),
        )

    def discard(self) -> None:
        """Delete the run's record, because nothing was done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.folder / "run.json").read_text())
        return record


def read(folder: Path) -> RunInfo:
    """Return the run in the folder. Raises CommandError when there is none."""
    info = _read(folder)
    if info is None:
        raise CommandError(f"{folder} contains no run.", LIST_RUNS)
    return info


def steps(run: RunInfo | Run) -> list[Step]:
    """Return the run's steps in the order in which they began."""
    return read_steps(run.folder / "events.jsonl")


def _all(folder: Path, pattern: str) -> list[RunInfo]:
    paths = sorted(folder.glob(pattern), key=lambda path: path.parent.name, reverse=True) if folder.is_dir() else []
    return [info for path in paths if (info := _read(path.parent)) is not None]


def _read(folder: Path) -> RunInfo | None:
    try:
        record = json.loads((folder / "run.json").read_text())
        dead = record["status"] == "running" and not _alive(record)
        return RunInfo(
            id=record["id"],
            kind=record["kind"],
            owner=record["owner"],
            who=record["who"],
            began=record["began"],
            clock=record["clock"],
            ended=record["ended"],
            seconds=record.get("seconds"),
            status="killed" if dead else record["status"],
            error="It was killed." if dead else record["error"],
            pid=record["pid"],
            arguments=tuple(record["arguments"]),
            result=record["result"],
            folder=folder,
        )
    except (OSError, ValueError, KeyError):
        return None


def _this_process() -> dict[str, Any]:
    return {"pid": os.getpid(), "pid_since": psutil.Process().create_time()}


def _alive(record: dict[str, Any]) -> bool:
    """Return whether the process that writes the run is alive, and its id was not reused."""
    try:
        process = psutil.Process(record["pid"])
        return abs(process.create_time() - record["pid_since"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
