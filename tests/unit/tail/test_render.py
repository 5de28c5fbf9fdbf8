"""The output of entries, and their selection."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from cli.tail import Entry, Line, Status, Wanted
from cli.tail.masking import Mask
from cli.tail.render import Show

MOMENT = datetime(2026, 11, 27, 16, 31, 0, 123456, UTC)


def line(text: str, kind: str = "log", **fields: object) -> Line:
    return Line(time=MOMENT, kind=kind, text=text, fields=fields)  # type: ignore[arg-type]


BACKEND = Entry(service="backend", lines=(line("listening with hidden-secret"),))
GOOD = Entry(
    service="api", lines=(line("GET /good 200 ok", "request", status=200, url="/?a=hidden-secret"),), status=Status.OK
)
BAD = Entry(
    service="api",
    lines=(line("GET /bad exception", "request"), line("  Error: No Luck", "exception")),
    status=Status.ERROR,
)


def shown(capsys: pytest.CaptureFixture[str], wanted: Wanted, *, as_json: bool = False) -> list[str]:
    show = Show(["backend", "api"], Mask(["hidden-secret"]), wanted, as_json=as_json)
    for entry in (BACKEND, GOOD, BAD):
        show(entry)
    return capsys.readouterr().out.splitlines()


def test_each_line_has_the_time_the_service_and_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    time = MOMENT.astimezone().strftime("%H:%M:%S.123")
    assert shown(capsys, Wanted()) == [
        f"{time}  backend  listening with ********",
        f"{time}  api      GET /good 200 ok",
        f"{time}  api      GET /bad exception",
        f"{time}  api        Error: No Luck",
    ]


@pytest.mark.parametrize(
    "wanted, texts",
    [
        (Wanted(text="no luck"), ["GET /bad exception", "Error: No Luck"]),
        (Wanted(status=Status.OK), ["GET /good 200 ok"]),
        (Wanted(status=Status.ERROR), ["GET /bad exception", "Error: No Luck"]),
        (Wanted(text="good", status=Status.ERROR), []),
        (Wanted(text="hidden"), []),
        (Wanted(text="listening"), ["listening with ********"]),
    ],
)
def test_an_event_is_shown_whole_or_not_at_all(
    capsys: pytest.CaptureFixture[str], wanted: Wanted, texts: list[str]
) -> None:
    assert [json.loads(each)["text"] for each in shown(capsys, wanted, as_json=True)] == texts


def test_json_output_has_one_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(shown(capsys, Wanted(), as_json=True)[1]) == {
        "time": "2026-11-27T16:31:00.123Z",
        "service": "api",
        "kind": "request",
        "text": "GET /good 200 ok",
        "status": 200,
        "url": "/?a=********",
    }


def test_control_characters_of_a_service_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    entry = Entry(service="api", lines=(line("\x1b[2Jgone\r\x07\tand here"),))
    Show(["api"], Mask([]), Wanted(), as_json=False)(entry)
    assert capsys.readouterr().out.endswith("  \\x1b[2Jgone\\x0d\\x07\tand here\n")
