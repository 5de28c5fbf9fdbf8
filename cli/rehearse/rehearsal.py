"""A rehearsal: try a change on a local cloud of its own, from the commit before it to the commit with it.

The rehearsal runs in a clone, with its own tools, ports and state, and without credentials. It deploys the base and
creates records, applies the change, wipes the backend, undoes the wipe, and destroys everything. During all steps it
sends reads to the API. Each revision is deployed by its own `oracle`, as for a person who has checked it out. Services
with a checkout run from a clone of it; the change may be in such a checkout.
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

import advice
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
from errors import Fix, UserError
from settings import HealthSettings

STACK = "local"
HIDDEN = (*credentials.CLOUDS, "GITHUB_TOKEN", "GH_TOKEN", "VIRTUAL_ENV", "PYTHONPATH")
"""Prefixes of variables that a rehearsed revision does not get."""
RECORDS = 3
REFERENCE_READ = HealthSettings(path="/api/posts?perPage=1", status=200)
"""The read that is sent to the reference service's API, which reads from the backend."""
TIMELINE_WIDTH = 100


@dataclass(frozen=True)
class Part:
    """A finished step of a rehearsal. `timeline` is text, empty if the engine changed nothing."""

    name: str
    seconds: float
    says: str
    timeline: str = ""


@dataclass
class Report:
    """The results of a rehearsal so far. `error` is the text of the step that failed."""

    revisions: Revisions
    services: list[str] = field(default_factory=list)
    """A line for each service: its checkout or its reference service."""
    parts: list[Part] = field(default_factory=list)
    reads: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    error: str = ""


class Rehearsal:
    """One rehearsal in `folder`, which it creates. It calls `say` with a line for each finished step."""

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
        """Run all steps.

        Raises CommandError at the first step that fails. The report then has the steps before it.
        """
        revisions = self.report.revisions
        try:
            for line in self.report.services:
                self._say(line)
            with self._part("clone") as part:
                self._make_clones()
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
        except UserError as failure:
            self.report.error = advice.text(failure, STACK, self._command_line())
            raise
        finally:
            self._stop()
        return self.report

    def _change(self, reader: Reader, planted: int, allow_wipe: bool) -> None:
        with self._part(f"change {self._changed()} up") as part:
            self._checkout(self.report.revisions.head, head=True)
            self._oracle("up")
            reader.move(*self._api())
            remaining = self._records().count()
            warnings = compatibility.warnings(Stack(STACK, self._clone))
            part(" ".join([f"{remaining} of {planted} records are there", *warnings]))
        if remaining < planted and not allow_wipe:
            accept = Fix(f"{self._command_line()} --allow-wipe", "to accept that (in a pull request: the label wipe)")
            raise CommandError(f"The change loses data: of {planted} records, {remaining} remain.", accept)
        with self._part("wipe") as part:
            self._oracle("wipe", "--yes")
            part(f"{expected('after the wipe', self._records().count(), 0)} records")
        with self._part("undo") as part:
            self._oracle("wipe", "--undo", "--yes")
            part(f"{expected('after the undo', self._records().count(), remaining)} of {remaining} records are back")

    def _changed(self) -> str:
        """Return the change's revisions: those of the changed services, else this repository's."""
        own = [f"{each.service} {each.revisions.head[:10]}" for each in self._services.changed]
        return " ".join(own) or self.report.revisions.head[:10]

    def _command_line(self) -> str:
        """Return the command line of this rehearsal."""
        changes = [f"--service {each.service}={each.revisions.asked}" for each in self._services.changed]
        return " ".join(["oracle rehearse", self.report.revisions.asked, *changes])

    def _destroy(self) -> None:
        with self._part("destroy") as part:
            engine = ["pulumi", "destroy", "--yes", "--skip-preview", "--run-program", "--stack", STACK]
            self._run([*engine, "--non-interactive"], exports(Stack(STACK, self._clone)))
            resources = self._engine().export()["deployment"].get("resources") or []
            part(f"{expected('after the destroy', len(resources), 0)} resources left; the backups are not deleted")

    @contextmanager
    def _part(self, name: str) -> Iterator[Callable[[str], None]]:
        start, earlier = time.monotonic(), {run.id for run in self._runs().list()}
        notes: list[str] = []
        yield notes.append
        timelines = [timeline.text(steps(run), TIMELINE_WIDTH) for run in self._runs().list() if run.id not in earlier]
        done = Part(name, time.monotonic() - start, "".join(notes), "\n".join(text for text in timelines if text))
        self.report.parts.append(done)
        self._say(f"{done.name:<24}{done.seconds:6.1f} s  {done.says}")

    def _make_clones(self) -> None:
        self.folder.mkdir(parents=True, mode=0o700)
        git(self._project, "clone", "--quiet", "--shared", "--no-checkout", "--", str(self._project), str(self._clone))
        self._services.clone(self.folder)

    def _checkout(self, revision: str, *, head: bool = False) -> None:
        """Check out the revision, with our ports, its own tools, and the services at their revisions."""
        git(self._clone, "checkout", "--quiet", "--force", "--detach", revision, hooks=False)
        stack = Stack(STACK, self._clone)
        if not stack.file.is_file():  # older revisions do not have it in git
            stacks.write(stack)
        text = stack.file.read_text()
        for original, own in zip((stack.cloud_port, stack.edge_port), self._ports, strict=True):
            text = re.sub(rf":{original}\b", f":{own}", text)
        stack.file.write_text(text)
        self._services.place(self.folder, stack, head=head)
        self._run(["make", "tools", f"PYTHON={sys.executable}"])

    def _oracle(self, *arguments: str) -> None:
        self._run([str(self._clone / ".venv/bin/oracle"), *arguments])

    def _run(self, command: Sequence[str], more: Mapping[str, str] | None = None) -> None:
        """Run a command, with its output in the log. Raises CommandError with the end of its output."""
        with self.log.open("ab") as log:
            log.write(f"\n$ {' '.join(command)}\n".encode())
            log.flush()
            start = log.tell()
            process = programs.start(command, output=log, cwd=self._clone, env={**bare(), **(more or {})})
            try:
                process.wait()
            except KeyboardInterrupt:
                process.wait()  # the terminal interrupts the process too, which then finishes its step
                raise
        if process.returncode != 0:
            lines = self.log.read_bytes()[start:].decode(errors="replace").strip().splitlines()
            words = " ".join([Path(command[0]).name, *command[1:3]])
            errors = [line.removeprefix("oracle: ") for line in lines if line.startswith("oracle: ")]
            cause = [*lines, *errors][-1] if lines else "it printed nothing"
            raise CommandError(f"`{words}` failed in the rehearsal.", cause=cause)

    def _api(self) -> tuple[str, HealthSettings]:
        """Return the API's address, and the read that is sent to it."""
        has_checkout = "api" in self._services.checkouts
        health = Stack(STACK, self._clone).settings().health["api"]
        return self._engine().outputs().api_url, health if has_checkout else REFERENCE_READ

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
    """Return the folder of a rehearsal that starts now."""
    stack.make_private(stack.private / "rehearsals")
    return stack.private / "rehearsals" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"


def forget(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def bare() -> dict[str, str]:
    """Return the environment without credentials, and without the variables of this process's virtual environment."""
    return credentials.without(*HIDDEN)


def expected(when: str, found: int, wanted: int) -> int:
    """Return the found number. Raises CommandError if it differs from the expected one."""
    if found != wanted:
        raise CommandError(f"The rehearsal found {found} {when}, but expected {wanted}. Its folder was not deleted.")
    return found


def _free_ports() -> tuple[int, int]:
    """Return two loopback ports that are free at this moment."""
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])
