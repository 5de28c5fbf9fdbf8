"""A build's commands: the install of its dependencies and the build itself, in its folder, with their output kept.

Neither sees a credential of a cloud or of the state: packages' scripts and builds are other people's programs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.builds import dependencies
from cli.engine import credentials
from cli.ui.errors import CommandError
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
        """Installs the dependencies that the build command lacks; the command that did it. Raises CommandError."""
        locked = dependencies.missing(self.folder, build, records)
        if locked is None:
            return ""
        said = f"{' '.join(locked.command)} ({locked.lock})"
        program = locked.program(self.service)
        self.line(said.encode())
        status = self._executed([program, *locked.command[1:]], dependencies.environment())
        if status != 0:
            problem = f"The dependencies of {self.service} were not installed: {said} ended with status {status}"
            raise self._failure(problem, "says", self._from_the_first_error())
        locked.note()
        return said

    def build(self, command: str) -> None:
        """Runs the build. Raises CommandError."""
        status = self._executed(["sh", "-c", command], credentials.without(*credentials.CLOUDS))
        if status != 0:
            problem = f"The build of {self.service} failed (status {status})"
            raise self._failure(problem, "ends", self._said()[-TAIL:])

    def _executed(self, command: Command, environment: Mapping[str, str]) -> int:
        """The command's exit status. Raises CommandError when it does not end."""
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
                f"The build of {self.service} did not end within {BUILD_SECONDS / 60:.0f} minutes and was stopped; "
                f"see its log {self.log}, then: oracle build {self.service}"
            ) from None

    def _failure(self, problem: str, how: str, said: list[str]) -> CommandError:
        lines = "\n".join(said)
        return CommandError(
            f"{problem}; mend it, then: oracle build {self.service}\nIts log is {self.log} and {how}:\n{lines}"
        )

    def _from_the_first_error(self) -> list[str]:
        """npm has a page of usage behind it."""
        lines = self._said()
        begin = next((at for at, line in enumerate(lines) if "error" in line.lower()), max(0, len(lines) - TAIL))
        return lines[begin : begin + TAIL]

    def _said(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()
