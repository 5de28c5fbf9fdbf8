"""Pauses grow to their limit, and attempts end in time."""

from __future__ import annotations

from itertools import islice

import pytest

from localcloud import backoff


def test_pauses_grow_to_the_longest() -> None:
    assert list(islice(backoff.pauses(1.0, 5.0), 5)) == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_the_first_attempt_comes_at_once() -> None:
    assert list(islice(backoff.attempts(0.5, 1.0), 4)) == [0.0, 0.5, 1.0, 1.0]


def test_there_is_always_one_attempt() -> None:
    assert list(backoff.attempts(0.1, 1.0, seconds=0)) == [0.0]


def test_no_attempt_comes_after_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("localcloud.backoff.time.monotonic", lambda: clock[0])
    made = []
    for pause in backoff.attempts(1.0, 4.0, seconds=6.0):
        clock[0] += pause
        made.append(pause)
    assert made == [0.0, 1.0, 2.0]
