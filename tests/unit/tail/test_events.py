"""A Worker's events as text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cli.tail import Entry, Status
from cli.tail.events import entry_of

MOMENT = datetime(2026, 11, 27, 16, 31, 0, 123000, UTC)
MILLISECONDS = int(MOMENT.timestamp() * 1000)
REQUEST = {"method": "GET", "url": "https://api.example/posts", "headers": {"authorization": "REDACTED"}}


def entry(**trace: Any) -> Entry:
    return entry_of("api", {"outcome": "ok", "eventTimestamp": MILLISECONDS, "logs": [], "exceptions": [], **trace})


def texts(found: Entry) -> list[str]:
    return [line.text for line in found.lines]


def test_a_request_is_shown_with_its_answer_and_its_logs() -> None:
    found = entry(
        event={"request": REQUEST, "response": {"status": 200}},
        logs=[
            {"level": "log", "message": ["saw", {"é": [1]}, None], "timestamp": MILLISECONDS},
            {"level": "error", "message": ["two\nlines"], "timestamp": MILLISECONDS},
        ],
    )
    assert texts(found) == [
        "GET https://api.example/posts 200 ok",
        '  (log) saw {"é": [1]} null',
        "  (error) two",
        "  (error) lines",
    ]
    assert [line.kind for line in found.lines] == ["request", "console", "console", "console"]
    assert (found.lines[0].time, found.status) == (MOMENT, Status.OK)
    assert found.lines[0].fields == {"outcome": "ok", "method": "GET", "url": REQUEST["url"], "status": 200}


def test_an_exception_is_shown_with_its_stack_trace() -> None:
    error = {"name": "TypeError", "message": "no luck", "stack": "    at fetch (worker.js:4:9)", "timestamp": 0}
    found = entry(outcome="exception", event={"request": REQUEST}, exceptions=[error])
    assert texts(found)[1:] == ["  TypeError: no luck", "      at fetch (worker.js:4:9)"]
    assert texts(found)[0].endswith("/posts exception")
    assert found.status is Status.ERROR


@pytest.mark.parametrize(
    "outcome, answer, status",
    [
        ("ok", 200, Status.OK),
        ("ok", 404, Status.OK),
        ("canceled", 200, Status.OK),
        ("ok", 500, Status.ERROR),
        ("ok", 503, Status.ERROR),
        ("exception", None, Status.ERROR),
        ("exceededCpu", None, Status.ERROR),
        ("exceededMemory", None, Status.ERROR),
        ("unknown", None, Status.ERROR),
    ],
)
def test_the_outcome_decides_the_status(outcome: str, answer: int | None, status: Status) -> None:
    response = {} if answer is None else {"response": {"status": answer}}
    assert entry(outcome=outcome, event={"request": REQUEST, **response}).status is status


@pytest.mark.parametrize(
    "event, text",
    [
        ({"cron": "*/5 * * * *", "scheduledTime": 1}, "cron */5 * * * * ok"),
        ({"queue": "mail", "batchSize": 3}, "queue mail, 3 messages ok"),
        ({"rpcMethod": "add"}, "call of the Worker.add ok"),
        ({"scheduledTime": 1}, "alarm ok"),
        ({"mailFrom": "a@b.c"}, "mail from a@b.c ok"),
        ({"type": "overload", "message": "Tail is sampling."}, "Tail is sampling. ok"),
        (None, "event ok"),
    ],
)
def test_events_other_than_requests_are_shown(event: Any, text: str) -> None:
    (line,) = entry(event=event).lines
    assert (line.text, line.kind) == (text, "event")


@pytest.mark.parametrize("trace", [{}, {"logs": 1, "exceptions": None, "event": []}, {"logs": [1, {"message": 3}]}])
def test_an_event_of_unknown_shape_is_still_shown(trace: dict[str, Any]) -> None:
    assert entry_of("api", trace).lines
