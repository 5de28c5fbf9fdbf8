"""Programs that run for us, all of which can be told to stop.

Each has a session of its own: a Ctrl-C at the terminal reaches us alone, so that we decide what is ended and what is
put back; and nothing that runs beside others can ask questions on the terminal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repositories.failures import Interrupted

AS_IT_WAS = "Interrupted; this checkout is as it was: oracle commit-all"
GRACE = 3.0  # seconds between asking a program to end and ending it


@dataclass(frozen=True)
class Done:
    """A program that has ended: its status and what it printed."""

    status: int
    output: bytes
    errors: str

    @property
    def text(self) -> str:
        """The output as text; bytes that are none survive, as file names do in Python."""
        return os.fsdecode(self.output).rstrip("\n")


class Processes:
    """Runs programs, from several threads at once, until told to stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        stdin: bytes = b"",
        seconds: float = 60,
        sheltered: bool = False,
    ) -> Done:
        """Runs to the end. Raises Interrupted when told to stop or out of time; `sheltered` is for putting back."""
        process = self._started(command, folder, environment, sheltered)
        try:
            output, errors = process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            raise Interrupted(f"`{_named(command)}` did not end within {seconds:.0f} seconds and was stopped") from None
        finally:
            with self._lock:
                self._running.discard(process)
        if process.returncode != 0 and self._stopped and not sheltered:
            raise Interrupted(AS_IT_WAS)
        return Done(process.returncode, output, errors.decode(errors="replace"))

    def stop(self) -> None:
        """Ends what runs and lets nothing more begin, but for what puts things back."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _signal(process, signal.SIGTERM)

    def _started(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], sheltered: bool
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped and not sheltered:
                raise Interrupted(AS_IT_WAS)
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            if not sheltered:
                self._running.add(process)
        return process


def _end(process: subprocess.Popen[bytes]) -> None:
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=GRACE)
        return
    _signal(process, signal.SIGKILL)
    process.communicate()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _named(command: Sequence[str]) -> str:
    words = [Path(command[0]).name, *(word for word in command[1:] if not word.startswith("-") and "=" not in word)]
    return " ".join(words[:2])
