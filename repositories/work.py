"""Work on all repositories at once: read the state of each, then commit and push each."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TypeVar

from repositories.checkout_state import State, look
from repositories.committing import Commit, commit, take_back
from repositories.configuration import Repository
from repositories.failures import Stopped
from repositories.processes import Processes
from repositories.pushing import Refused, push
from repositories.secrets import Scanner
from repositories.staging import staging

AT_ONCE = 16  # more than there are processors, since most of the time is spent waiting for remotes
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome:
    """The result for one repository.

    `commit` is the new commit, empty if none was made. `pushed` counts commits. `stopped` is the reason why it was not
    committed or pushed.
    """

    state: State
    commit: str = ""
    subject: str = ""
    pushed: int = 0
    stopped: Stopped | None = None


class Work:
    """One run over several repositories.

    `report_progress` is called with the number of finished ones, in the calling thread.
    """

    def __init__(self, project: Path, at_once: int = AT_ONCE) -> None:
        self._project = project
        self._at_once = at_once
        self._processes = Processes()
        self._scanner = Scanner()
        self.interrupted = False

    def look(
        self, wanted: Sequence[Repository], report_progress: Callable[[int], None] = lambda _: None
    ) -> list[State]:
        """Return the state of each repository (`checkout_state.look`)."""
        return self._each(
            wanted, lambda each: look(each, self._project, self._processes, self._scanner), report_progress
        )

    def finish(
        self, states: Sequence[State], message: str = "", report_progress: Callable[[int], None] = lambda _: None
    ) -> list[Outcome]:
        """Commit and push changes and unpushed commits. With an empty message, one is generated for each commit."""
        return self._each(states, lambda state: _finish(state, message, self._scanner), report_progress)

    def _each(
        self, items: Sequence[Item], work: Callable[[Item], Result], report_progress: Callable[[int], None]
    ) -> list[Result]:
        """Return the results in order. Ctrl-C ends the running programs; each repository still has a result."""
        with ThreadPoolExecutor(max_workers=max(1, min(self._at_once, len(items)))) as pool, _signals_as_interrupts():
            futures: list[Future[Result]] = []
            try:
                futures += [pool.submit(work, item) for item in items]
                _await(futures, report_progress)
            except KeyboardInterrupt:
                self.interrupted = True
                self._processes.stop()
                futures += [pool.submit(work, item) for item in items[len(futures) :]]
                _await(futures, report_progress)
        return [future.result() for future in futures]


def _await(futures: Sequence[Future[Result]], report_progress: Callable[[int], None]) -> None:
    for count, _ in enumerate(as_completed(futures), start=1):
        report_progress(count)


def _finish(state: State, message: str, scanner: Scanner) -> Outcome:
    if not state.to_push:
        return Outcome(state, stopped=state.stopped)
    created: Commit | None = None
    try:
        if state.to_commit:
            with staging(state.git, quarantined=False) as staged:
                created = commit(state, staged, message, scanner)
        return _push(state, created, scanner)
    except Stopped as stopped:
        return Outcome(state, stopped=stopped)


def _push(state: State, created: Commit | None, scanner: Scanner) -> Outcome:
    """Push. A new commit that was refused is undone; one that may have arrived stays."""
    own = (created.name, created.subject) if created else ("", "")
    count = (state.unpushed or 0) + (1 if created else 0)
    if not count:
        return Outcome(state)
    try:
        push(state, created.name if created else state.head, scanner)
    except Refused as refused:
        if created:
            take_back(state.git, created)
        return Outcome(state, stopped=refused)
    except Stopped as stopped:
        return Outcome(state, *own, stopped=stopped)
    return Outcome(state, *own, pushed=count)


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Treat SIGHUP and SIGTERM like Ctrl-C, so that the checkouts are restored first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
