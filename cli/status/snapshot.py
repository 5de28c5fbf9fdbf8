"""Read the status of a stack: its state, the observations and the diagnosis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from cli.engine import local_cloud
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.status.collect import collect
from cli.status.commands import Commands
from cli.status.declared import Declared, Undeclared, read
from cli.status.diagnose import diagnose
from cli.status.model import Backups, Finding, Status, finding_of, worst

STATE_SECONDS = 20.0


class StatusReader:
    """Read the status of one stack repeatedly. The state, the slowest read, is read again after `fresh` seconds."""

    def __init__(self, stack: Stack, fresh: float = 0.0) -> None:
        self._stack, self._fresh = stack, fresh
        self._settings = stack.settings()
        self._declared: Declared | None = None
        self._read_at = 0.0

    def gather(self) -> Status:
        """Return the current status. Raises CommandError if the stack's configuration is invalid."""
        start, now = time.monotonic(), datetime.now(UTC)
        stack = self._stack
        commands = Commands.of(stack)
        if stack.on_local_cloud and local_cloud.health(stack) is None:
            what = f"The local cloud at {stack.endpoint} does not run."
            finding = Finding(about="network", level="down", what=what, next=commands.start_cloud)
            return self._with_single_finding(finding, start, now)
        engine = Engine(stack)
        state_finding = None
        try:
            self._read_state(engine)
        except Undeclared as error:
            state_finding = finding_of("state", "degraded", error, stack.name, commands.up)
            if not error.helps:
                return self._with_single_finding(replace(state_finding, level="down"), start, now)
        return self._status(engine, commands, state_finding, start, now)

    def _read_state(self, engine: Engine) -> None:
        if self._declared is None or time.monotonic() - self._read_at > self._fresh:
            self._declared = None
            self._declared, self._read_at = read(engine, STATE_SECONDS), time.monotonic()

    def _status(
        self, engine: Engine, commands: Commands, state_finding: Finding | None, start: float, now: datetime
    ) -> Status:
        observations = collect(engine, self._settings, self._declared)
        diagnosis = diagnose(self._settings, self._declared, observations, commands, now)
        findings = [*([state_finding] if state_finding else _sealed(self._declared, commands)), *diagnosis.findings]
        if any(each.about == "network" for each in findings):  # the network may also be why the state cannot be read
            findings = [each for each in findings if each.about == "network"]
        return Status(
            stack=commands.stack,
            at=now.isoformat(timespec="seconds"),
            level=worst([*(each.level for each in diagnosis.services), *(each.level for each in findings)]),
            services=diagnosis.services,
            findings=tuple(findings),
            notes=diagnosis.notes,
            backups=observations.backups,
            milliseconds=_since(start),
        )

    def _with_single_finding(self, finding: Finding, start: float, now: datetime) -> Status:
        """Return a status with a single finding, which prevents all other checks."""
        return Status(
            stack=self._stack.name,
            at=now.isoformat(timespec="seconds"),
            level=finding.level,
            services=(),
            findings=(finding,),
            notes=(),
            backups=Backups(where=self._settings.backup.store, count=None, newest=None, at=None),
            milliseconds=_since(start),
        )


def gather(stack: Stack) -> Status:
    """Return the current status of a stack. Raises CommandError if its configuration is invalid."""
    return StatusReader(stack).gather()


def _sealed(declared: Declared | None, commands: Commands) -> Iterator[Finding]:
    if declared is not None and declared.sealed:
        what = f"{declared.sealed}, so the admin's login and the bindings were not checked."
        yield Finding(about="state", level="degraded", what=what, next=commands.environment)


def _since(start: float) -> int:
    return round((time.monotonic() - start) * 1000)
