"""Run a build's commands in its folder: install its dependencies, then build. Their output goes to a log.

Neither command gets a credential of a cloud or of the state, since package scripts and builds are other people's
programs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.builds import dependencies
from cli.engine import credentials
from cli.ui.errors import CommandError
from errors import STACK, Fix
from programs import Command, OutOfTime, run

TAIL = 25
BUILD_SECONDS = 3600.0


@dataclass(frozen=True)
class Commands:
    """Runs a service's commands in `folder`; each line of their output goes to `line`, which writes it to `log`."""

    service: str
    folder: Path
    log: Path
    line: Callable[[bytes], object]

    def install(self, build: str, records: Path) -> str:
        """Install the dependencies that the build command needs; return the command used, empty when none was needed.

        Raises CommandError.
        """
        lock = dependencies.missing(self.folder, build, records)
        if lock is None:
            return ""
        installation = f"{' '.join(lock.command)} ({lock.lock})"
        program = lock.program(self.service)
        self.line(installation.encode())
        status = self._execute([program, *lock.command[1:]], dependencies.environment())
        if status != 0:
            problem = (
                f"The dependencies of {self.service} were not installed: {installation} ended with status {status}."
            )
            raise self._failure(problem, self._from_the_first_error())
        lock.note()
        return installation

    def build(self, command: str) -> None:
        """Run the build. Raises CommandError."""
        status = self._execute(["sh", "-c", command], credentials.without(*credentials.CLOUDS))
        if status != 0:
            raise self._failure(f"The build of {self.service} failed (status {status}).", self._log_lines()[-TAIL:])

    def _execute(self, command: Command, environment: Mapping[str, str]) -> int:
        """Run a command and return its exit status. Raises CommandError when it does not end in time."""
        try:
            return run(
                command,
                cwd=self.folder,
                env=environment,
                merged=True,
                line=self.line,
                patient=True,
                seconds=BUILD_SECONDS,
            ).status
        except OutOfTime:
            raise CommandError(
                f"The build of {self.service} did not end within {BUILD_SECONDS / 60:.0f} minutes and was stopped.",
                Fix(first=f"read its log {self.log}", then=f"oracle build {self.service} --stack {STACK}"),
            ) from None

    def _failure(self, problem: str, excerpt: list[str]) -> CommandError:
        """Return the error, whose text ends with the problem and its fix, below the excerpt of the log."""
        lines = "\n".join([f"From the log of {self.service}'s build:", *excerpt])
        then = f"oracle build {self.service} --stack {STACK}"
        return CommandError(f"{lines}\n{problem}", Fix(first=f"correct the error (log: {self.log})", then=then))

    def _from_the_first_error(self) -> list[str]:
        """Return the log's lines from the first error on, since npm prints a page of usage after it."""
        lines = self._log_lines()
        begin = next((at for at, line in enumerate(lines) if "error" in line.lower()), max(0, len(lines) - TAIL))
        return lines[begin : begin + TAIL]

    def _log_lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()
