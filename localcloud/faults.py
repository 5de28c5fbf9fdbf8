"""Faults on request: failing or slow answers of APIs and apps, and deployments that fail in a chosen step."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

STEPS = ("build", "deploy", "health", "exec")
Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _count(value: Any) -> bool:
    return _whole(value) and value > 0


def _status(value: Any) -> bool:
    return _count(value) and 200 <= value <= 599


def _seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 3600


def _headers(value: Any) -> bool:
    return isinstance(value, dict) and all(_text(text) for text in [*value, *value.values()])


REQUEST: dict[str, Check] = {
    "host": _text,
    "method": _text,
    "path": _text,
    "count": _count,
    "skip": _whole,
    "status": _status,
    "body": lambda _: True,
    "headers": _headers,
    "delay": _seconds,
    "drop": lambda value: isinstance(value, bool) or value == "answer",
    "record": lambda value: isinstance(value, bool),
}
STEP: dict[str, Check] = {
    "app": _text,
    "step": lambda value: value in STEPS,
    "count": _count,
    "delay": _seconds,
    "message": _text,
}
LATENCY: dict[str, Check] = {"path": _text, "seconds": _seconds}


class FaultError(Exception):
    """An invalid description of a fault."""


@dataclass
class RequestFault:
    """A fault that answers `count` matching requests with `status`, or drops them, after `delay` seconds.

    The first `skip` requests pass untouched. Without status and drop the request is only delayed. With drop `answer`
    the request is carried out and its answer lost. With a `host` (a glob, without port) the fault applies to requests
    that pass the edge: to apps and Workers, and from them to any host. With `record` it only logs the requests, until
    it is removed.
    """

    host: str | None = None
    method: str = "*"
    path: str = "*"
    count: int = 1
    skip: int = 0
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: bool | Literal["answer"] = False
    record: bool = False

    def matches(self, method: str, path: str) -> bool:
        """Return whether the fault applies to this request and is not used up."""
        return self.count > 0 and self.method in ("*", method) and fnmatch.fnmatchcase(path, self.path)


@dataclass
class StepFault:
    """A fault that makes `count` deployments of `app` fail in `step`, or only wait there when it has just a delay.

    Step `exec` breaks console connections right after they opened.
    """

    app: str
    step: str
    count: int = 1
    delay: float = 0.0
    message: str = ""

    @property
    def fails(self) -> bool:
        """Return whether the step fails. A delay alone is no failure, unless a message follows it."""
        return bool(self.message) or not self.delay


@dataclass
class Latency:
    """A fault that delays every request to `path` by `seconds`, until the faults are removed."""

    path: str
    seconds: float


class Faults:
    """All pending faults except the edge's. They are in memory only, so a restart removes them."""

    def __init__(self) -> None:
        self.requests: list[RequestFault] = []
        self.steps: list[StepFault] = []
        self.latencies: list[Latency] = []

    def add(self, faults: list[Fault]) -> None:
        """Add faults that have no host; those with a host belong to the edge."""
        for fault in faults:
            if isinstance(fault, Latency):
                self.latencies.append(fault)
            elif isinstance(fault, StepFault):
                self.steps.append(fault)
            else:
                self.requests.append(fault)

    def take_request(self, method: str, path: str) -> RequestFault | None:
        """Return the first fault for this request and count it as used; count a skip for each fault before it that
        skips.
        """
        for fault in self.requests:
            if not fault.matches(method, path):
                continue
            if fault.skip == 0:
                fault.count -= 1
                return fault
            fault.skip -= 1
        return None

    def take_step(self, app: str, step: str) -> StepFault | None:
        """Return the first fault for this step of this app, and count it as used."""
        for fault in self.steps:
            if fault.count > 0 and fault.app in ("*", app) and fault.step == step:
                fault.count -= 1
                return fault
        return None

    def latency(self, path: str) -> float:
        """Return the seconds that requests to this path are delayed."""
        return sum(entry.seconds for entry in self.latencies if fnmatch.fnmatchcase(path, entry.path))

    def listing(self) -> dict[str, list[dict[str, Any]]]:
        """Return the remaining faults as JSON."""
        return {
            "requests": [vars(fault) for fault in self.requests if fault.count > 0],
            "steps": [vars(fault) for fault in self.steps if fault.count > 0],
            "latencies": [vars(entry) for entry in self.latencies],
        }

    def clear(self) -> None:
        """Remove all faults."""
        self.requests.clear()
        self.steps.clear()
        self.latencies.clear()


Fault = RequestFault | StepFault | Latency


def read(descriptions: Any) -> list[Fault]:
    """Parse one description or a list of them, as POST /_cloud/faults gets them. Raises FaultError with the problem."""
    return [_read(each) for each in (descriptions if isinstance(descriptions, list) else [descriptions])]


def _read(description: Any) -> Fault:
    if not isinstance(description, dict):
        raise FaultError("a fault is a JSON object")
    if set(description) == {"latency"}:
        return Latency(**_checked(description["latency"], LATENCY, "path", "seconds"))
    if "step" in description:
        return StepFault(**_checked(description, STEP, "app"))
    fault = RequestFault(**_checked(description, REQUEST, "path"))
    if fault.record and fault.host is None:
        raise FaultError("record is for a host's requests; those to the APIs are all recorded")
    return fault


def _checked(fields: Any, known: dict[str, Check], *required: str) -> dict[str, Any]:
    if not isinstance(fields, dict):
        raise FaultError("a latency is {path, seconds}")
    for name, value in fields.items():
        if name not in known:
            raise FaultError(f"unknown key {name!r}; known: {', '.join(known)}")
        if not known[name](value):
            raise FaultError(f"{name} cannot be {value!r}")
    for name in required:
        if name not in fields:
            raise FaultError(f"{name} is missing")
    return fields
