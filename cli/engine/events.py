"""The events of a run, with their times: one JSON object a line.

    {"at": 3.21, "event": "begin", "urn": "…::web-script", "type": "cloudflare:index/workersScript:WorkersScript",
     "op": "update"}

`at` is in seconds since the run began. `event` is begin, end, fail, note (with `text`) or needs (with `of`, a map from
URN to the URNs it needs). The engine's own log contains whole states, with times in whole seconds. Here each event gets
the time at which it was read, and no inputs or outputs, so that no secret is recorded.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.engine.pulumi import resources_in

PAUSE_SECONDS = 0.05
NOTHING = frozenset({"same", "replace", "read", "read-replacement", "read-discard", "discard-replaced", "discard"})
"""The engine's words for steps that change nothing; `replace` only summarizes its other steps."""


@dataclass(frozen=True)
class Step:
    """A step of a run, in seconds since the run's start.

    `ended` is None while the step runs, or when no end was recorded.
    """

    name: str
    type: str
    op: str
    """build, preview, refresh, or the engine's word such as create, update, create-replacement, delete-replaced."""
    began: float
    ended: float | None
    ok: bool = True
    needs: tuple[str, ...] = ()
    """The names of the resources that it depends on, directly or indirectly."""


class Recorder:
    """Writes a run's events. Safe to use from several threads."""

    def __init__(self, path: Path, clock: float) -> None:
        path.touch(mode=0o600)
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()

    def write(self, event: str, **what: Any) -> None:
        line = json.dumps({"at": round(time.time() - self._clock, 3), "event": event, **what})
        with self._lock, self._path.open("a") as file:
            file.write(f"{line}\n")

    def engine(self, event: dict[str, Any]) -> None:
        """Write one of the engine's events, reduced to urn, type and op."""
        for kind, event_name in (
            ("resourcePreEvent", "begin"),
            ("resOutputsEvent", "end"),
            ("resOpFailedEvent", "fail"),
        ):
            metadata = (event.get(kind) or {}).get("metadata")
            if metadata and metadata["op"] not in NOTHING:
                self.write(event_name, urn=metadata["urn"], type=metadata["type"], op=metadata["op"])

    def needs(self, state: Mapping[str, Any]) -> None:
        """Write the dependencies between resources, from an exported state."""
        resources = resources_in(state)
        self.write("needs", of={each["urn"]: each["dependencies"] for each in resources if each.get("dependencies")})


@dataclass
class Follower:
    """Reads the engine's event log while it is written, and passes each event on.

    A context manager: when it exits, the whole log has been read.
    """

    path: Path
    heard: Callable[[dict[str, Any]], None]
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Follower:
        self.path.touch(mode=0o600)
        self._thread = threading.Thread(target=self._follow, name="engine-events", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _follow(self) -> None:
        position = 0
        while True:
            last = self._ended.wait(PAUSE_SECONDS)
            position = self._read(position)
            if last:
                return

    def _read(self, position: int) -> int:
        with self.path.open("rb") as file:
            file.seek(position)
            lines, _, _ = file.read().rpartition(b"\n")
        for line in filter(None, lines.split(b"\n")):
            self.heard(json.loads(line))
        return position + len(lines) + bool(lines)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a run so far, without a line that is still being written."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return
    for line in text.rpartition("\n")[0].splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue  # cut off by a kill, with another line after it


def read_steps(path: Path) -> list[Step]:
    """Return the steps of a run in the order in which they began."""
    open_steps: dict[tuple[str, str], dict[str, Any]] = {}
    finished: list[tuple[dict[str, Any], float | None, bool]] = []
    needs: dict[str, list[str]] = {}
    for event in lines(path):
        key = (event.get("urn", ""), event.get("op", ""))
        if event["event"] == "needs":
            needs = event["of"]
        elif event["event"] == "begin":
            open_steps[key] = event
        elif event["event"] in ("end", "fail") and (began := open_steps.pop(key, None)):
            finished.append((began, event["at"], event["event"] == "end"))
    finished += [(began, None, True) for began in open_steps.values()]
    all_steps = [_step(began, ended, ok, needs) for began, ended, ok in finished]
    return sorted(all_steps, key=lambda step: (step.began, step.ended or float("inf")))


def _step(began: dict[str, Any], ended: float | None, ok: bool, needs: dict[str, list[str]]) -> Step:
    names = tuple(sorted(name(urn) for urn in _all_needs(began["urn"], needs)))
    return Step(name(began["urn"]), began["type"], began["op"], began["at"], ended, ok, names)


def _all_needs(urn: str, needs: dict[str, list[str]]) -> set[str]:
    """Return all needs of a resource, including those through unchanged resources."""
    all_needs: set[str] = set()
    left = [urn]
    while left:
        new = set(needs.get(left.pop(), [])) - all_needs
        all_needs |= new
        left += new
    return all_needs


def name(urn: str) -> str:
    """Return a resource's own name."""
    return urn.rpartition("::")[2]
