"""Trouble on request: failing or slow API answers, and deployments that fail in a chosen step."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import Any

STEPS = ("build", "deploy", "health", "exec")
REQUEST_KEYS = {"method", "path", "count", "status", "body", "headers", "delay", "drop"}
STEP_KEYS = {"app", "step", "count", "delay", "message"}


class FaultError(Exception):
    """A fault's description that makes no sense."""


@dataclass
class RequestFault:
    """Answers `count` matching requests with `status` (or drops them) after `delay` seconds.

    Without status and drop the request is only delayed.
    """

    method: str = "*"
    path: str = "*"
    count: int = 1
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: bool = False

    def matches(self, method: str, path: str) -> bool:
        """Is it meant for this request, and is there any of it left?"""
        return self.count > 0 and self.method in ("*", method) and fnmatch.fnmatchcase(path, self.path)


@dataclass
class StepFault:
    """Makes `count` deployments of `app` fail in `step`; with a delay only, makes them wait there.

    Step `exec` breaks console connections right after they opened.
    """

    app: str
    step: str
    count: int = 1
    delay: float = 0.0
    message: str = ""

    @property
    def fails(self) -> bool:
        """A delay alone is no failure, unless a message says what fails after it."""
        return bool(self.message) or not self.delay


@dataclass
class Latency:
    """Every request to `path` takes `seconds` longer, until the faults are cleared."""

    path: str
    seconds: float


class Faults:
    """All faults that wait for their moment, kept in memory only: a restart clears them."""

    def __init__(self) -> None:
        self.requests: list[RequestFault] = []
        self.steps: list[StepFault] = []
        self.latencies: list[Latency] = []

    def add(self, description: dict[str, Any]) -> None:
        """Take one description as POST /_cloud/faults gets it; FaultError says what is wrong with it."""
        try:
            self._add(dict(description))
        except (TypeError, ValueError) as error:
            raise FaultError(f"not a fault: {error}") from error

    def _add(self, given: dict[str, Any]) -> None:
        if "latency" in given:
            self.latencies.append(Latency(str(given["latency"]["path"]), float(given["latency"]["seconds"])))
        elif "step" in given:
            _only(given, STEP_KEYS)
            if given["step"] not in STEPS:
                raise ValueError(f"step {given['step']!r} is none of {', '.join(STEPS)}")
            self.steps.append(StepFault(**given))
        else:
            _only(given, REQUEST_KEYS)
            self.requests.append(RequestFault(**given))

    def take_request(self, method: str, path: str) -> RequestFault | None:
        """The first fault for this request; it counts as used."""
        for fault in self.requests:
            if fault.matches(method, path):
                fault.count -= 1
                return fault
        return None

    def take_step(self, app: str, step: str) -> StepFault | None:
        """The first fault for this step of this app; it counts as used."""
        for fault in self.steps:
            if fault.count > 0 and fault.app in ("*", app) and fault.step == step:
                fault.count -= 1
                return fault
        return None

    def latency(self, path: str) -> float:
        """Seconds that a request to this path takes longer."""
        return sum(entry.seconds for entry in self.latencies if fnmatch.fnmatchcase(path, entry.path))

    def listing(self) -> dict[str, list[dict[str, Any]]]:
        """What is left, as JSON."""
        return {
            "requests": [vars(fault) for fault in self.requests if fault.count > 0],
            "steps": [vars(fault) for fault in self.steps if fault.count > 0],
            "latencies": [vars(entry) for entry in self.latencies],
        }

    def clear(self) -> None:
        """Forget all faults."""
        self.requests.clear()
        self.steps.clear()
        self.latencies.clear()


def _only(given: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"unknown key {', '.join(unknown)}; known: {', '.join(sorted(known))}")
