"""A backend that should be empty, and is not."""

from __future__ import annotations

from typing import Any

import pytest

from clients.pocketbase import DataSummary, Login
from errors import First, Remedy, UserError
from lifecycle import empty_check
from lifecycle.bootstrap import Target

MADE = "2026-11-22T12:00:00Z"
TARGET = Target(
    owner="o/p/s",
    endpoint="e",
    service="s",
    console="c",
    email="e",
    password="p",
    operator="o",
    app_id="a",
    release="r",
    health_path="/h",
)


class Platform:
    def app(self, app_id: str) -> dict[str, Any]:
        return {"id": app_id, "created_at": MADE}


def look(monkeypatch: pytest.MonkeyPatch, records: dict[str, int], last: str | None) -> None:
    found = DataSummary(records=records, users=0, files=0, last_write=last)
    monkeypatch.setattr(empty_check, "login", lambda *_: Login(token="t", id="i"))
    asked: list[str] = []

    def summarize(url: str, *_: object) -> DataSummary:
        asked.append(url)
        return found

    monkeypatch.setattr(empty_check, "summarize_data", summarize)
    empty_check.require_empty(Platform(), TARGET, "http://new")  # type: ignore[arg-type]
    assert asked == ["http://new"]


@pytest.mark.parametrize(
    "records, last",
    [
        ({"_superusers": 1, "posts": 0}, None),
        ({"posts": 3}, "2026-11-22T12:00:07.123Z"),  # planted by the image at its start
        ({"posts": 3}, None),  # no dates: nothing is known
    ],
)
def test_what_is_written_by_the_new_app_itself_is_its_own(
    monkeypatch: pytest.MonkeyPatch, records: dict[str, int], last: str | None
) -> None:
    look(monkeypatch, records, last)


def test_records_older_than_the_app_come_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        UserError, match="started with 3 records, the last written at 2026-11-22 11:59:59 UTC"
    ) as caught:
        look(monkeypatch, {"posts": 3, "_superusers": 1}, "2026-11-22 11:59:59.999Z")
    assert "$" not in str(caught.value)
    action = "set oracle-net:backend.replica.config as docs/how-to/litestream.md shows"
    assert caught.value.helps == (First(action, Remedy.RETRY),)
