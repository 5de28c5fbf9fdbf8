"""One look at a stack, from its state to the judgement."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from cli.engine import local_cloud
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.status.collect import collect
from cli.status.declared import Declared, Undeclared, read
from cli.status.diagnose import Commands, diagnose
from cli.status.model import Backups, Finding, Status, worst

STATE_SECONDS = 20.0


class StatusReader:
    """Looks at one stack, as often as wished; the state, which costs most, is read again after `fresh` seconds."""

    def __init__(self, stack: Stack, fresh: float = 0.0) -> None:
        self._stack, self._fresh = stack, fresh
        self._settings = stack.settings()
        self._declared: Declared | None = None
        self._read = 0.0

    def gather(self) -> Status:
        """What is there now. Raises CommandError when the stack's configuration cannot be used."""
        begin, now = time.monotonic(), datetime.now(UTC)
        stack = self._stack
        commands = Commands(stack=stack.name, local=stack.on_local_cloud, endpoint=stack.endpoint or "")
        if stack.on_local_cloud and local_cloud.health(stack) is None:
            what = f"The local cloud at {stack.endpoint} does not run."
            next = f"oracle cloud start --stack {stack.name}"
            return self._only(Finding(about="network", level="down", what=what, next=next), begin, now)
        engine = Engine(stack)
        unread = None
        try:
            self._declare(engine)
        except Undeclared as error:
            what = f"{error}."
            if error.next is None:
                return self._only(Finding(about="state", level="down", what=what, next=commands.up), begin, now)
            unread = Finding(about="state", level="degraded", what=what, next=error.next)
        return self._status(engine, commands, unread, begin, now)

    def _declare(self, engine: Engine) -> None:
        if self._declared is None or time.monotonic() - self._read > self._fresh:
            self._declared = None
            self._declared, self._read = read(engine, STATE_SECONDS), time.monotonic()

    def _status(
        self, engine: Engine, commands: Commands, unread: Finding | None, begin: float, now: datetime
    ) -> Status:
        sight = collect(engine, self._settings, self._declared)
        found = diagnose(self._settings, self._declared, sight, commands, now)
        findings = [*([unread] if unread else _sealed(self._declared, commands)), *found.findings]
        if any(each.about == "network" for each in findings):  # the state may be behind it too
            findings = [each for each in findings if each.about == "network"]
        return Status(
            stack=commands.stack,
            at=now.isoformat(timespec="seconds"),
            level=worst([*(each.level for each in found.services), *(each.level for each in findings)]),
            services=found.services,
            findings=tuple(findings),
            notes=found.notes,
            backups=sight.backups,
            milliseconds=_since(begin),
        )

    def _only(self, finding: Finding, begin: float, now: datetime) -> Status:
        """Where one thing hides all others."""
        return Status(
            stack=self._stack.name,
            at=now.isoformat(timespec="seconds"),
            level=finding.level,
            services=(),
            findings=(finding,),
            notes=(),
            backups=Backups(where=self._settings.backup.store, count=None, newest=None, at=None),
            milliseconds=_since(begin),
        )


def gather(stack: Stack) -> Status:
    """The stack as it is now. Raises CommandError when its configuration cannot be used."""
    return StatusReader(stack).gather()


def _sealed(declared: Declared | None, commands: Commands) -> Iterator[Finding]:
    if declared is not None and declared.sealed:
        what = f"{declared.sealed}, so the admin's login and bindings were not looked at."
        yield Finding(about="state", level="degraded", what=what, next=commands.environment)


def _since(begin: float) -> int:
    return round((time.monotonic() - begin) * 1000)
