"""Programs that run for us, all of which can be told to stop.

Each has a session of its own: a Ctrl-C at the terminal reaches us alone, so that we decide what is ended and what is
put back; and nothing that runs beside others can ask questions on the terminal.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from programs import Done, OutOfTime, Program
from repositories.failures import Interrupted

AS_IT_WAS = "Interrupted; this checkout is as it was: oracle commit-all"


class Processes:
    """Runs programs, from several threads at once, until told to stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Program] = set()
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
        program = self._started(command, folder, environment, sheltered)
        try:
            done = program.finish(stdin, seconds)
        except OutOfTime:
            raise Interrupted(f"`{_named(command)}` did not end within {seconds:.0f} seconds and was stopped") from None
        finally:
            with self._lock:
                self._running.discard(program)
        if done.status != 0 and self._stopped and not sheltered:
            raise Interrupted(AS_IT_WAS)
        return done

    def stop(self) -> None:
        """Ends what runs and lets nothing more begin, but for what puts things back."""
        with self._lock:
            self._stopped = True
            for program in self._running:
                program.signal(signal.SIGTERM)

    def _started(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], sheltered: bool
    ) -> Program:
        with self._lock:
            if self._stopped and not sheltered:
                raise Interrupted(AS_IT_WAS)
            program = Program(command, cwd=folder, env=environment, session=True, takes_input=True)
            if not sheltered:
                self._running.add(program)
        return program


def _named(command: Sequence[str]) -> str:
    words = [Path(command[0]).name, *(word for word in command[1:] if not word.startswith("-") and "=" not in word)]
    return " ".join(words[:2])
