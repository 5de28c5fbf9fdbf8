"""Runs: what each deploy, wipe, restore and update did, written down as it happens, so that no terminal is needed.

A run is a folder `.oracle/runs/<organization>/<project>/<stack>/<id>/`: `run.json` (what `RunInfo` says), `output.log`
(the text as it came) and `events.jsonl` (one JSON object a line, as cli/engine/events.py writes them). Only the user
may read them. Nothing secret is in them: the engine hides what is secret in its text, and of its events only names,
kinds and times are kept.
"""

from __future__ import annotations

import json
import os
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

from cli.engine.events import Step, read_steps
from cli.ui.errors import CommandError
from stack_outputs import Owner
from storage.backups import who
from storage.backups.files import private_folder

AFTER, KEPT = "after.yaml", "kept.json"
"""Files of a run: the stack's file as it will be, and the services that stay as they are (contract.Kept)."""
KEPT_RUNS = 200
"""Of a stack; its older ones are removed when a new one begins."""


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """A run as it is written down; `status` is running, ok, failed or killed."""

    id: str
    kind: str
    owner: str
    """The stack whose run it is, by its whole name (contract.Owner)."""
    who: str
    began: str
    """ISO 8601, UTC."""
    clock: float
    """The same in seconds since the epoch."""
    ended: str | None
    seconds: float | None
    status: str
    error: str
    """What went wrong, one sentence; empty unless failed or killed."""
    pid: int
    arguments: tuple[str, ...]
    result: Mapping[str, Any]
    """What the run has made, by its kind."""
    folder: Path

    @property
    def stack(self) -> str:
        return Owner.of(self.owner).stack

    @property
    def output(self) -> Path:
        return self.folder / "output.log"

    @property
    def running(self) -> bool:
        return self.status == "running"

    def again(self) -> RunInfo:
        """The same run as it is now."""
        return read(self.folder)


class Runs:
    """The runs of a project, of all its stacks, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, kind: str, owner: Owner, arguments: Sequence[str] = ()) -> Run:
        """A new run, of this process as yet. Raises CommandError while another run of the stack is at work."""
        self.refuse_busy(owner)
        private_folder(self.folder / str(owner))
        self._forget(owner)
        folder = self._made(kind, owner)
        run = Run(folder)
        run.write(
            id=folder.name, kind=kind, owner=str(owner), who=who(), began=_now(), ended=None, status="running",
            error="", arguments=list(arguments), result={}, clock=time.time(), **_me(),
        )  # fmt: skip
        (folder / "output.log").touch(mode=0o600)
        return run

    def refuse_busy(self, owner: Owner) -> None:
        """Raises CommandError while a run of the stack is at work."""
        if busy := next((run for run in self.of(owner) if run.running), None):
            raise CommandError(
                f"Another run of {owner.stack} is at work: {busy.kind} of {busy.who}, since {busy.began[:19]}Z, "
                f"process {busy.pid}. Watch it: oracle logs {busy.id} -f"
            )

    def list(self) -> list[RunInfo]:
        """All runs, newest first."""
        return _all(self.folder, "*/*/*/*/run.json")

    def of(self, owner: Owner) -> Sequence[RunInfo]:
        """The stack's own, newest first."""
        return _all(self.folder / str(owner), "*/run.json")

    def find(self, prefix: str = "") -> RunInfo:
        """The run whose id begins, or ends, so; the newest when nothing is asked for. Raises CommandError."""
        known = self.list()
        found = [run for run in known if run.id == prefix] or [run for run in known if _fits(run.id, prefix)]
        if not found:
            raise CommandError(f"There is no run {prefix or 'yet'}; see which there are: oracle runs")
        if prefix and len(found) > 1:
            raise CommandError(
                f"{prefix} may be {', '.join(run.id for run in found[:3])}; name one of them: oracle runs"
            )
        return found[0]

    def _made(self, kind: str, owner: Owner) -> Path:
        """A folder whose name no run of any stack has, so that `oracle logs` needs nothing else to find it."""
        name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{kind}"
        for number in range(1, 1000):
            folder = self.folder / str(owner) / (name if number == 1 else f"{name}-{number}")
            if any(self.folder.glob(f"*/*/*/{folder.name}")):
                continue
            with suppress(FileExistsError):
                folder.mkdir(mode=0o700)
                return folder
        raise CommandError(f"{self.folder} has too many runs of this second; look what starts them: oracle runs")

    def _forget(self, owner: Owner) -> None:
        for run in self.of(owner)[KEPT_RUNS - 1 :]:
            shutil.rmtree(run.folder, ignore_errors=True)


class Run:
    """A run that is being written. As a context it ends with its block, unless another process has taken it over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.folder.exists():
            return  # it was discarded
        written = self._written()
        if written["status"] != "running" or written["pid"] != os.getpid():
            return
        if error is None:
            self.end()
        else:
            self.end("interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__)

    @property
    def info(self) -> RunInfo:
        return read(self.folder)

    @property
    def clock(self) -> float:
        """When the run began, in seconds since the epoch."""
        return float(self._written()["clock"])

    @property
    def task(self) -> dict[str, Any]:
        """What the process that takes the run over is asked to do."""
        return dict(self._written().get("task") or {})

    def write(self, **values: Any) -> None:
        """Changes what is written down; whoever reads meanwhile reads the old or the new."""
        path = self.folder / "run.json"
        known = self._written() if path.exists() else {}
        scratch = path.with_name(f".run.json.{os.getpid()}")
        scratch.touch(mode=0o600)
        scratch.write_text(json.dumps({**known, **values}, indent=1))
        scratch.replace(path)

    def add_file(self, name: str, content: bytes) -> Path:
        """Writes a file of the run's, which only its user may read, and returns its path."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        return path

    def take_over(self) -> None:
        """From now on the run is this process's."""
        self.write(**_me())

    def say(self, text: str) -> None:
        """Adds lines to the run's output."""
        with (self.folder / "output.log").open("a") as log:
            log.write(f"{text}\n")

    def end(self, error: str | None = None, **result: Any) -> None:
        """The run has ended, well without an error; `result` is kept with it."""
        began = self.clock
        self.write(
            status="ok" if error is None else "failed",
            error=error or "",
            ended=_now(),
            seconds=round(time.time() - began, 3),
            **({"result": result} if result else {}),
        )

    def discard(self) -> None:
        """Nothing was done, and nothing is worth keeping."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _written(self) -> dict[str, Any]:
        written: dict[str, Any] = json.loads((self.folder / "run.json").read_text())
        return written


def read(folder: Path) -> RunInfo:
    """The run in the folder. Raises CommandError when there is none."""
    info = _read(folder)
    if info is None:
        raise CommandError(f"{folder} holds no run; see which there are: oracle runs")
    return info


def steps(run: RunInfo | Run) -> list[Step]:
    """What the run did, in the order in which it began."""
    return read_steps(run.folder / "events.jsonl")


def _all(folder: Path, pattern: str) -> list[RunInfo]:
    found = sorted(folder.glob(pattern), key=lambda path: path.parent.name, reverse=True) if folder.is_dir() else []
    return [info for path in found if (info := _read(path.parent)) is not None]


def _read(folder: Path) -> RunInfo | None:
    try:
        known = json.loads((folder / "run.json").read_text())
        dead = known["status"] == "running" and not _alive(known)
        return RunInfo(
            id=known["id"],
            kind=known["kind"],
            owner=known["owner"],
            who=known["who"],
            began=known["began"],
            clock=known["clock"],
            ended=known["ended"],
            seconds=known.get("seconds"),
            status="killed" if dead else known["status"],
            error="it was killed before its end" if dead else known["error"],
            pid=known["pid"],
            arguments=tuple(known["arguments"]),
            result=known["result"],
            folder=folder,
        )
    except (OSError, ValueError, KeyError):
        return None


def _fits(id: str, asked: str) -> bool:
    return id.startswith(asked) or id.endswith(asked)


def _me() -> dict[str, Any]:
    return {"pid": os.getpid(), "pid_since": psutil.Process().create_time()}


def _alive(known: dict[str, Any]) -> bool:
    """Whether the process that writes the run still is, and is no other with its number."""
    try:
        process = psutil.Process(known["pid"])
        return abs(process.create_time() - known["pid_since"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
