"""Run programs from several threads, and stop all of them at once.

Each program has a session of its own. So Ctrl-C reaches only us, and we decide which programs to end and what to
restore. And no program can ask questions at the terminal, where several run at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from errors import Remedy
from programs import Done, OutOfTime, Program
from repositories.failures import Interrupted

UNCHANGED = "The work was interrupted, and this checkout is unchanged."


class Processes:
    """The running programs. Threads call `run`; `stop` ends all programs and refuses new ones."""

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
        """Run a program and return its status and output. Raises Interrupted after `stop` and after `seconds`.

        `stop` does not affect a `sheltered` program: it restores something.
        """
        program = self._start(command, folder, environment, sheltered)
        try:
            done = program.finish(stdin, seconds)
        except OutOfTime:
            raise Interrupted(
                f"`{_command_name(command)}` did not end within {seconds:.0f} seconds and was stopped.", Remedy.RETRY
            ) from None
        finally:
            with self._lock:
                self._running.discard(program)
        if done.status != 0 and self._stopped and not sheltered:
            raise Interrupted(UNCHANGED, Remedy.RETRY)
        return done

    def stop(self) -> None:
        """End the running programs, and refuse new ones. Sheltered programs still run."""
        with self._lock:
            self._stopped = True
            for program in self._running:
                program.signal(signal.SIGTERM)

    def _start(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], sheltered: bool) -> Program:
        with self._lock:
            if self._stopped and not sheltered:
                raise Interrupted(UNCHANGED, Remedy.RETRY)
            program = Program(command, cwd=folder, env=environment, session=True, takes_input=True)
            if not sheltered:
                self._running.add(program)
        return program


def _command_name(command: Sequence[str]) -> str:
    words = [Path(command[0]).name, *(word for word in command[1:] if not word.startswith("-") and "=" not in word)]
    return " ".join(words[:2])
