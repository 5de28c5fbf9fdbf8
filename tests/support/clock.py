"""A clock that moves only when somebody sleeps, so that tests of waiting take no time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest


@dataclass
class Clock:
    """Stands in for `time.monotonic` and `time.sleep`."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def stopped(monkeypatch: pytest.MonkeyPatch, *modules: str) -> Clock:
    """A clock in place of the `time` that these modules import."""
    clock = Clock()

    class Time:
        monotonic = staticmethod(clock.monotonic)
        sleep = staticmethod(clock.sleep)
        time = staticmethod(time.time)

    for module in modules:
        monkeypatch.setattr(f"{module}.time", Time)
    return clock
