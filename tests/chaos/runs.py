"""One run: data is planted, the network changed and disturbed meanwhile, and the next `up` must put it right."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from cli.ui.errors import program_sentence
from tests.chaos.calls import REFUSED, Call
from tests.chaos.kills import Kill
from tests.chaos.network import Network, taken
from tests.chaos.scenarios import Scenario
from tests.chaos.watch import Watch, watching
from tests.live.project import Done, Project, changes
from tests.support.waiting import until

PATIENCE = 90.0
"""Seconds after which a person interrupts a command that says nothing."""


@dataclass
class Row:
    """What a run has shown."""

    scenario: str
    what: str
    ended: str = ""
    """failed, survived, killed, or not reached: the call was not made this time."""
    words: str = ""
    up: str = ""
    complaints: list[str] = field(default_factory=list)
    where: str = ""
    lost: int = 0
    silent: int = 0
    gap: float = 0.0
    left: int = 0
    """Processes of a killed command that still ran when the next `up` had ended."""
    seconds: float = 0.0

    @property
    def converged(self) -> bool:
        return not self.complaints and self.lost == 0


@dataclass
class Runner:
    project: Project
    count: int = 0
    left: list[psutil.Process] = field(default_factory=list)
    """What a killed command had started. It may go on for a while, and the next `up` must do with that."""

    def faulty(self, scenario: Scenario, call: Call, **what: object) -> Row:
        """An update in which one call fails."""
        row = Row(scenario.name, f"{call.name}{', answer lost' if 'drop' in what else ''}")

        def disturbed() -> Done:
            scenario.declare(self.project)
            self.project.fault(**call.fault(**(what or {"status": REFUSED})))
            done = self.project.up()
            hit = taken(self.project)
            row.ended = "not reached" if not hit else "survived" if done.status == 0 else "failed"
            return done

        return self._run(row, scenario, disturbed)

    def killed(self, scenario: Scenario, kill: Kill) -> Row:
        """An update in which a process is killed while a call is under way."""
        row = Row(scenario.name, kill.name)

        def disturbed() -> Done:
            words = scenario.command(self.project)
            self.project.fault(**kill.moment.fault())
            running = self.project.start_oracle(*words)
            output = Reader(running)
            until(lambda: taken(self.project) or running.poll() is not None, kill.moment.name, 200)
            engines = engines_of(self.project)
            if running.poll() is None:
                self.left = psutil.Process(running.pid).children(recursive=True)
                kill.strike(self.project, running.pid)
            row.ended = wait_for_command(running)
            wait_for_engines(engines)
            status = running.returncode
            return Done(status, output.text())

        return self._run(row, scenario, disturbed)

    def _run(self, row: Row, scenario: Scenario, disturbed: Callable[[], Done]) -> Row:
        began = time.monotonic()
        self.count += 1
        title = f"planted-{self.count}-{time.time_ns()}"
        Network(self.project).plant(title)
        with watching(self.project.root, title) as watch:
            done = disturbed()
            row.words = first_words(done)
            self._clear()
            self._converge(row, done.status == 0)
        self._judge(row, scenario, watch, done)
        row.left, self.left = end_leftovers(self.left), []
        row.seconds = time.monotonic() - began
        return row

    def _clear(self) -> None:
        if self.project.oracle("cloud", "start").status == 0:
            self.project.api("DELETE", "/_cloud/faults")

    def _converge(self, row: Row, survived: bool) -> None:
        """`up` until it succeeds, then once more, which must have nothing to do; after a success the first is that."""
        done = self.project.oracle("up")
        row.up = "ok" if done.status == 0 else f"failed: {first_words(done)}"
        if done.status != 0:
            row.complaints.append("up failed")
            done = self.project.oracle("up")
            row.up += "; then ok" if done.status == 0 else f"; then failed: {first_words(done)}"
        again = done if survived and done.status == 0 else self.project.up()
        if again.status != 0 or changes(again).keys() - {"unchanged"}:
            row.complaints.append(f"not quiet: {changes(again)} {first_words(again)}".strip())

    def _judge(self, row: Row, scenario: Scenario, watch: Watch, done: Done) -> None:
        row.complaints += Network(self.project).complaints()
        row.complaints += scenario.misplaced(watch)
        if "Traceback" in done.output:
            row.complaints.append("a traceback was shown")
        backups = watch.backups()
        row.where = f"backup {backups[-1]}" if not scenario.carries and backups else watch.look()[0]
        row.lost, row.silent, row.gap = watch.lost, watch.silent, watch.longest


class Reader:
    """What a command in the background prints; read all the time, so that it never waits for its reader."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: list[str] = []
        stream = process.stdout
        assert stream is not None
        self._stream = stream
        self._thread = threading.Thread(target=lambda: self._lines.extend(stream), daemon=True)
        self._thread.start()

    def text(self) -> str:
        self._thread.join(10)
        if not self._thread.is_alive():  # otherwise a process that outlived the command still holds its output
            self._stream.close()
        return "".join(self._lines)


def first_words(done: Done) -> str:
    """The first words of what went wrong, as the user reads it."""
    if done.status == 0:
        return ""
    last = [line.strip() for line in done.output.strip().splitlines() if line.strip()]
    return (program_sentence(done.output) or (last[-1] if last else ""))[:110]


def wait_for_command(running: subprocess.Popen[str]) -> str:
    """How the command ended. One that waits for what was killed is interrupted, as a person would."""
    try:
        return "killed" if running.wait(PATIENCE) else "survived"
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGINT)
        running.wait(120)
        return f"interrupted after {PATIENCE:.0f} s"


def engines_of(project: Project) -> list[psutil.Process]:
    """The project's engines that are at work."""
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "pulumi":
            try:
                if process.cwd() == str(project.root):
                    found.append(process)
            except psutil.Error:
                continue
    return found


def end_leftovers(processes: list[psutil.Process]) -> int:
    """How many of them still run; then they do no more."""
    _, alive = psutil.wait_procs(processes, timeout=0)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=10)
    return len(alive)


def wait_for_engines(engines: list[psutil.Process]) -> None:
    """Waits for engines that outlive the command that started them, as their lock's message tells people to."""
    _, alive = psutil.wait_procs(engines, timeout=240)
    assert not alive, f"the engine {alive} does not end"
