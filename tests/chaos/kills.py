"""kill -9 of each process that takes part in an update, each at several moments."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from tests.chaos.calls import APPS
from tests.chaos.network import cloud_pid
from tests.live.project import Project

HELD = 3.0
"""Seconds for which the request is kept waiting in which the kill takes place."""


@dataclass(frozen=True)
class Moment:
    """While this request is under way: it has been sent, and nothing has been done for it yet."""

    name: str
    method: str
    path: str
    host: str | None = None
    skip: int = 0

    def fault(self) -> dict[str, object]:
        place = {"host": self.host} if self.host else {}
        return {"method": self.method, "path": self.path, "skip": self.skip, "delay": HELD, **place}


@dataclass(frozen=True)
class Kill:
    victim: str
    moment: Moment

    @property
    def name(self) -> str:
        return f"kill -9 {self.victim}: {self.moment.name}"

    def strike(self, project: Project, command: int) -> None:
        """Kills the victim, all of it at once. Raises AssertionError when there is none."""
        killed = VICTIMS[self.victim](project, psutil.Process(command))
        assert killed, f"there is no {self.victim} to be killed"
        for process in killed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)


def _tree(_: Project, command: psutil.Process) -> list[psutil.Process]:
    return [command, *command.children(recursive=True)]


def _command(_: Project, command: psutil.Process) -> list[psutil.Process]:
    return [command]


def _engine(_: Project, command: psutil.Process) -> list[psutil.Process]:
    return [child for child in command.children(recursive=True) if child.name() == "pulumi"]


def _hosts(words: str) -> Callable[[Project, psutil.Process], list[psutil.Process]]:
    def found(_: Project, command: psutil.Process) -> list[psutil.Process]:
        return [child for child in command.children(recursive=True) if words in " ".join(_words(child))]

    return found


def _cloud(project: Project, _: psutil.Process) -> list[psutil.Process]:
    return [psutil.Process(cloud_pid(project))]


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return list(process.cmdline())
    return []


VICTIMS: dict[str, Callable[[Project, psutil.Process], list[psutil.Process]]] = {
    "everything": _tree,
    "command": _command,
    "engine": _engine,
    "program": _hosts("pulumi-language-python-exec"),
    "dynamic provider": _hosts("dynamic"),
    "local cloud": _cloud,
}
SCRIPT = "/client/v4/accounts/*/workers/scripts/oracle-universe-api"
APP = Moment("the app is created", "POST", "/v2/apps")
STARTING = Moment("the app starts", "GET", "/v2/apps/*/deployments/????????-????-????-????-????????????", skip=1)
SWITCH = Moment("the API moves", "PUT", SCRIPT)
BACKUP = Moment("the backup is made", "POST", "/api/backups", APPS)
DOWNLOAD = Moment("the backup is fetched", "GET", "/api/backups/*", APPS)
DELETED = Moment("the old app is deleted", "DELETE", "/v2/apps/*")
FREEZE = Moment("the freeze begins", "POST", "/api/collections", APPS)
RULES = Moment("rules are closed", "PATCH", "/api/collections/*", APPS, skip=1)
UPLOAD = Moment("the data is uploaded", "POST", "/api/backups/upload", APPS)
RESTORED = Moment("the data is restored", "POST", "/api/backups/*/restore", APPS)
MOMENTS = {
    "wipe": [APP, STARTING, SWITCH, FREEZE, RULES, BACKUP, DOWNLOAD, DELETED],
    "release": [APP, FREEZE, RULES, BACKUP, UPLOAD, RESTORED, SWITCH, DELETED],
    "undo": [UPLOAD, RESTORED, SWITCH, FREEZE, DELETED],
}
USUAL = {"engine", "local cloud"}
"""Killed at every moment; the others at every second one, in turn."""


def kills(scenario: str) -> Iterator[Kill]:
    moments = MOMENTS[scenario]
    for place, victim in enumerate(VICTIMS):
        for moment in moments if victim in USUAL else moments[place % 2 :: 2]:
            yield Kill(victim, moment)
