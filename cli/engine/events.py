"""What happens in a run, and when: one JSON object a line.

    {"at": 3.21, "event": "begin", "urn": "…::web-script", "type": "cloudflare:index/workersScript:WorkersScript",
     "op": "update"}

`at` is in seconds since the run began; `event` is begin, end, fail, note (with `text`) or needs (with `of`, a map from
URN to the URNs it needs). The engine writes whole states with a clock of whole seconds; here its events get the time at
which they came, and lose every input and output, so that nothing secret can be among them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAUSE_SECONDS = 0.05
NOTHING = frozenset({"same", "replace", "read", "read-replacement", "read-discard", "discard-replaced", "discard"})
"""The engine's words for steps in which nothing is done; `replace` only sums up those of which it consists."""


@dataclass(frozen=True)
class Step:
    """A part of a run, in seconds since its begin; `ended` is None while it goes on, or when it was never heard of."""

    name: str
    type: str
    op: str
    """build, preview, refresh, or the engine's word such as create, update, create-replacement, delete-replaced."""
    began: float
    ended: float | None
    ok: bool = True
    needs: tuple[str, ...] = ()
    """The names of the resources that it has to wait for, directly or not."""


class Recorder:
    """Writes a run's events. Used from several threads at once."""

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
        """One of the engine's own, reduced to what is ours."""
        for kind, word in (("resourcePreEvent", "begin"), ("resOutputsEvent", "end"), ("resOpFailedEvent", "fail")):
            what = (event.get(kind) or {}).get("metadata")
            if what and what["op"] not in NOTHING:
                self.write(word, urn=what["urn"], type=what["type"], op=what["op"])

    def needs(self, state: Mapping[str, Any]) -> None:
        """What waits for what, from an exported state."""
        resources = (state.get("deployment") or {}).get("resources") or []
        self.write("needs", of={each["urn"]: each["dependencies"] for each in resources if each.get("dependencies")})


@dataclass
class Follower:
    """Reads the engine's event log while it is written, and hands each event on. A context: at its end all is read."""

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
    """The events of a run so far; a line that is being written is left out."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return
    for line in text.rpartition("\n")[0].splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue  # cut off by a kill, with another line behind it


def read_steps(path: Path) -> list[Step]:
    """The steps in a run's events, in the order in which they began."""
    open_steps: dict[tuple[str, str], dict[str, Any]] = {}
    found: list[tuple[dict[str, Any], float | None, bool]] = []
    needs: dict[str, list[str]] = {}
    for event in lines(path):
        key = (event.get("urn", ""), event.get("op", ""))
        if event["event"] == "needs":
            needs = event["of"]
        elif event["event"] == "begin":
            open_steps[key] = event
        elif event["event"] in ("end", "fail") and (began := open_steps.pop(key, None)):
            found.append((began, event["at"], event["event"] == "end"))
    found += [(began, None, True) for began in open_steps.values()]
    made = [_step(began, ended, ok, needs) for began, ended, ok in found]
    return sorted(made, key=lambda step: (step.began, step.ended or float("inf")))


def _step(began: dict[str, Any], ended: float | None, ok: bool, needs: dict[str, list[str]]) -> Step:
    waits = tuple(sorted(name(urn) for urn in _all_needs(began["urn"], needs)))
    return Step(name(began["urn"]), began["type"], began["op"], began["at"], ended, ok, waits)


def _all_needs(urn: str, needs: dict[str, list[str]]) -> set[str]:
    """Also what is needed by way of resources that stayed as they are."""
    found: set[str] = set()
    left = [urn]
    while left:
        new = set(needs.get(left.pop(), [])) - found
        found |= new
        left += new
    return found


def name(urn: str) -> str:
    """A resource's own name."""
    return urn.rpartition("::")[2]
