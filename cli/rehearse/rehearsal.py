"""A rehearsal: a change tried out on a local cloud of its own, from the revision before it to the end of everything.

In a clone, with its own tools, ports and state, and without any credential: the base is brought up and gets records;
the change is applied to it; then it is wiped, that is undone, and all is destroyed. Meanwhile somebody reads. Each
revision is driven by its own `oracle`, as a person who has it checked out would. The services run from clones of their
own checkouts where those are there; the change may be one of theirs.
"""

from __future__ import annotations

import re
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import programs
from cli.backups.stack_backups import StackBackups
from cli.engine import compatibility, credentials, stacks
from cli.engine.pulumi import Engine
from cli.engine.revisions import Revisions, git
from cli.engine.workspace import Stack, exports
from cli.rehearse.service_checkouts import Services
from cli.rehearse.traffic_probe import Reader, Records
from cli.runs import timeline
from cli.runs.store import Runs, steps
from cli.ui.errors import CommandError
from settings import HealthSettings

STACK = "local"
HIDDEN = (*credentials.CLOUDS, "GITHUB_TOKEN", "GH_TOKEN", "VIRTUAL_ENV", "PYTHONPATH")
"""What no rehearsed revision may see; names that begin so."""
RECORDS = 3
STAND_IN_READ = HealthSettings(path="/api/posts?perPage=1", status=200)
"""What is read of the stand-in's API: it asks the backend."""
TIMELINE_WIDTH = 100


@dataclass(frozen=True)
class Part:
    """A step of a rehearsal as it ended: `timeline` is text, empty where the engine did nothing."""

    name: str
    seconds: float
    says: str
    timeline: str = ""


@dataclass
class Report:
    """What a rehearsal has shown so far; `error` is the sentence with which it ended early."""

    revisions: Revisions
    services: list[str] = field(default_factory=list)
    """For each service what is run."""
    parts: list[Part] = field(default_factory=list)
    reads: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    error: str = ""


class Rehearsal:
    """One rehearsal in `folder`, which it makes. `say` hears a line for each step that has ended."""

    def __init__(
        self, project: Path, folder: Path, revisions: Revisions, services: Services, say: Callable[[str], None]
    ) -> None:
        self.report = Report(revisions, services.lines)
        self.folder = folder
        self.log = folder / "rehearsal.log"
        self._project = project
        self._clone = folder / "project"
        self._services = services
        self._say = say
        self._ports = _free_ports()

    def run(self, allow_wipe: bool) -> Report:
        """Everything in turn.

        Raises CommandError at the first step that fails; the report then holds the steps before.
        """
        revisions = self.report.revisions
        try:
            for line in self.report.services:
                self._say(line)
            with self._part("clone") as part:
                self._cloned()
                part("its own state, ports and tools; no credential")
            with self._part(f"base {revisions.base[:10]} up") as part:
                self._checkout(revisions.base)
                self._oracle("up")
                part("answers")
            planted = self._records().plant(RECORDS)
            with Reader(*self._api()) as reader:
                self._change(reader, planted, allow_wipe)
            self.report.reads, self.report.failed = reader.reads, reader.failed
            self._destroy()
        except CommandError as failure:
            self.report.error = str(failure)
            raise
        finally:
            self._stop()
        return self.report

    def _change(self, reader: Reader, planted: int, allow_wipe: bool) -> None:
        with self._part(f"change {self._changed()} up") as part:
            self._checkout(self.report.revisions.head, head=True)
            self._oracle("up")
            reader.move(*self._api())
            kept = self._records().count()
            warned = compatibility.warnings(Stack(STACK, self._clone))
            part(" ".join([f"{kept} of {planted} records are there", *warned]))
        if kept < planted and not allow_wipe:
            raise CommandError(
                f"The change loses data: of {planted} records {kept} are left. If that is meant, agree to it: "
                f"{self._asked()} --allow-wipe (in a pull request: the label wipe)"
            )
        with self._part("wipe") as part:
            self._oracle("wipe", "--yes")
            part(f"{expected('after the wipe', self._records().count(), 0)} records")
        with self._part("undo") as part:
            self._oracle("wipe", "--undo", "--yes")
            part(f"{expected('after the undo', self._records().count(), kept)} of {kept} records are back")

    def _changed(self) -> str:
        """The change's revisions: those of the services that change, else this repository's."""
        own = [f"{each.service} {each.revisions.head[:10]}" for each in self._services.changed]
        return " ".join(own) or self.report.revisions.head[:10]

    def _asked(self) -> str:
        """What was asked for, as it was typed."""
        changes = [f"--service {each.service}={each.revisions.asked}" for each in self._services.changed]
        return " ".join(["oracle rehearse", self.report.revisions.asked, *changes])

    def _destroy(self) -> None:
        with self._part("destroy") as part:
            engine = ["pulumi", "destroy", "--yes", "--skip-preview", "--run-program", "--stack", STACK]
            self._run([*engine, "--non-interactive"], exports(Stack(STACK, self._clone)))
            left = self._engine().export()["deployment"].get("resources") or []
            part(f"{expected('after the destroy', len(left), 0)} resources left; the backups stay")

    @contextmanager
    def _part(self, name: str) -> Iterator[Callable[[str], None]]:
        began, known = time.monotonic(), {run.id for run in self._runs().list()}
        said: list[str] = []
        yield said.append
        drawn = [timeline.text(steps(run), TIMELINE_WIDTH) for run in self._runs().list() if run.id not in known]
        done = Part(name, time.monotonic() - began, "".join(said), "\n".join(text for text in drawn if text))
        self.report.parts.append(done)
        self._say(f"{done.name:<24}{done.seconds:6.1f} s  {done.says}")

    def _cloned(self) -> None:
        self.folder.mkdir(parents=True, mode=0o700)
        git(self._project, "clone", "--quiet", "--shared", "--no-checkout", "--", str(self._project), str(self._clone))
        self._services.clone(self.folder)

    def _checkout(self, revision: str, *, head: bool = False) -> None:
        """The revision, on our ports, with the tools that it asks for, and the services at theirs."""
        git(self._clone, "checkout", "--quiet", "--force", "--detach", revision, hooks=False)
        stack = Stack(STACK, self._clone)
        if not stack.file.is_file():  # not in git, as in older revisions
            stacks.write(stack)
        text = stack.file.read_text()
        for known, ours in zip((stack.cloud_port, stack.edge_port), self._ports, strict=True):
            text = re.sub(rf":{known}\b", f":{ours}", text)
        stack.file.write_text(text)
        self._services.place(self.folder, stack, head=head)
        self._run(["make", "tools", f"PYTHON={sys.executable}"])

    def _oracle(self, *arguments: str) -> None:
        self._run([str(self._clone / ".venv/bin/oracle"), *arguments])

    def _run(self, command: Sequence[str], more: Mapping[str, str] | None = None) -> None:
        """Runs to the end, its output in the log. Raises CommandError with the end of what it said."""
        with self.log.open("ab") as log:
            log.write(f"\n$ {' '.join(command)}\n".encode())
            log.flush()
            begin = log.tell()
            process = programs.start(command, output=log, cwd=self._clone, env={**bare(), **(more or {})})
            try:
                process.wait()
            except KeyboardInterrupt:
                process.wait()  # the terminal has told it too: it ends what it is at
                raise
        if process.returncode != 0:
            said = self.log.read_bytes()[begin:].decode(errors="replace").strip().splitlines()
            words = " ".join([Path(command[0]).name, *command[1:3]])
            told = [line.removeprefix("oracle: ") for line in said if line.startswith("oracle: ")]
            raise CommandError(
                f"`{words}` failed in the rehearsal: {[*said, *told][-1] if said else 'it said nothing'}"
            )

    def _api(self) -> tuple[str, HealthSettings]:
        """The API's address, and what is read there while it changes."""
        real = "api" in self._services.checkouts
        health = Stack(STACK, self._clone).settings().health["api"]
        return self._engine().outputs().api_url, health if real else STAND_IN_READ

    def _records(self) -> Records:
        return Records(StackBackups(self._engine()).backend())

    def _engine(self) -> Engine:
        return Engine(Stack(STACK, self._clone))

    def _runs(self) -> Runs:
        return Runs(Stack(STACK, self._clone).runs)

    def _stop(self) -> None:
        oracle = self._clone / ".venv/bin/oracle"
        if oracle.exists():
            with self.log.open("ab") as log:
                programs.start([oracle, "down"], output=log, cwd=self._clone, env=bare()).wait()


def folder_for(stack: Stack) -> Path:
    """Where a rehearsal that begins now has its files."""
    stack.make_private(stack.private / "rehearsals")
    return stack.private / "rehearsals" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"


def forget(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def bare() -> dict[str, str]:
    """The environment without credentials, and without what this process's own tools have put there."""
    return credentials.without(*HIDDEN)


def expected(when: str, found: int, wanted: int) -> int:
    """The number found. Raises CommandError when it is another than wanted."""
    if found != wanted:
        raise CommandError(f"The rehearsal found {found} {when}, and not {wanted}; look: its folder is kept")
    return found


def _free_ports() -> tuple[int, int]:
    """Two loopback ports on which nobody listens at this moment."""
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])
