"""A stream that ends is opened again, until the time limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest

from cli.tail.reopen import FIRST_PATIENCE, PATIENCE, Opened, StreamLost, follow_reopening
from cli.ui.errors import CommandError
from errors import First
from tests.support.clock import Clock, stopped

WAIT = First("wait for the app")


class Stop(Event):
    """Waits on a test's clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.sleep(timeout or 0)
        return self.is_set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped(monkeypatch, "cli.tail.reopen")


def scripted(*runs: list[Any]) -> Callable[[], Iterator[Any]]:
    """Streams that yield what is listed, raise an exception in it, and for ever do what the last one does."""
    left = list(runs)

    def stream() -> Iterator[Any]:
        for item in left.pop(0) if len(left) > 1 else left[0]:
            if isinstance(item, Exception):
                raise item
            yield item

    return stream


def test_a_lost_stream_is_reopened_and_a_note_is_shown(clock: Clock) -> None:
    stop, notes = Stop(clock), list[str]()
    stream = scripted([Opened(), 1, StreamLost("It ended.")], [StreamLost("Not yet.")], [Opened(), 2, 3])
    found = follow_reopening("api", stream, stop, notes.append)
    assert [next(found) for _ in range(3)] == [1, 2, 3]
    assert notes == ["api: It ended. Opening it again ...", "api: followed again."]


def test_a_stream_that_cannot_be_reopened_fails_with_the_reason(clock: Clock) -> None:
    stream = scripted([Opened(), 1, StreamLost("It ended.")], [StreamLost("The app is away.", WAIT)])
    begin, found = clock.now, follow_reopening("backend", stream, Stop(clock), lambda _: None)
    with pytest.raises(CommandError, match=r"^backend cannot be followed: The app is away\.$") as raised:
        list(found)
    assert raised.value.helps == (WAIT,)
    assert PATIENCE < clock.now - begin < PATIENCE + 20


def test_the_first_opening_has_a_shorter_time_limit(clock: Clock) -> None:
    begin, notes = clock.now, list[str]()
    with pytest.raises(CommandError):
        list(follow_reopening("api", scripted([StreamLost("Nobody answers.")]), Stop(clock), notes.append))
    assert clock.now - begin < FIRST_PATIENCE + 10
    assert notes == []


def test_a_stream_that_often_ends_is_reopened_less_and_less_often(clock: Clock) -> None:
    stop = Stop(clock)
    found = follow_reopening("api", scripted([Opened(), 1, StreamLost("It ended.")]), stop, lambda _: None)
    assert [next(found) for _ in range(30)] == [1] * 30
    assert clock.slept[-1] == max(clock.slept) > clock.slept[0]


def test_a_permanent_error_is_raised_at_once(clock: Clock) -> None:
    with pytest.raises(CommandError, match="gone"):
        list(follow_reopening("api", scripted([Opened(), CommandError("gone")]), Stop(clock), lambda _: None))
    assert clock.slept == []


def test_no_stream_is_reopened_after_a_stop(clock: Clock) -> None:
    stop = Stop(clock)
    found = follow_reopening("api", scripted([Opened(), 1, StreamLost("It ended.")]), stop, lambda _: None)
    assert next(found) == 1
    stop.set()
    assert list(found) == []
