"""The calls that chaos faults are made for: how they are listed and matched."""

from __future__ import annotations

from typing import Any

from tests.chaos.calls import APPS, Call, folded, recorded
from tests.live.project import Project

APP = "c2198ccd-8a23-4bab-8303-725143f48579"
OTHER = "ceaef1f6-eadf-4dc8-b6c2-c99c2d162c32"
UUID = "????????-????-????-????-????????????"


class Log(Project):
    """A project that has seen these requests."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines

    def api(self, method: str, path: str, body: Any = None) -> Any:
        rows: dict[str, list[dict[str, str]]] = {"requests": [], "edge": []}
        for second, line in enumerate(self.lines):
            how, where = line.split()
            edge = where.startswith("/api/")
            time = f"2026-01-01T00:00:{second:02}.000{'Z' if edge else '+00:00'}"
            rows["edge" if edge else "requests"].append({"time": time, "method": how, "path": where})
        return rows


def test_both_logs_are_merged_and_ids_are_removed() -> None:
    calls = recorded(Log(f"GET /v2/apps/{APP}", "POST /api/backups", f"GET /v2/apps/{OTHER}"))
    app = f"/v2/apps/{UUID}"
    assert calls == [
        Call("GET", app, None, 1, 2),
        Call("POST", "/api/backups", APPS, 1, 1),
        Call("GET", app, None, 2, 2),
    ]
    assert calls[2].name == "GET /v2/apps/ID 2/2"
    assert calls[2].fault(status=403) == {"method": "GET", "path": app, "skip": 1, "count": 1, "status": 403}
    assert calls[1].fault(drop="answer")["host"] == APPS


def test_an_app_and_its_deployments_are_different_calls() -> None:
    calls = recorded(Log(f"GET /v2/apps/{APP}/deployments/{OTHER}", f"GET /v2/apps/{APP}", "GET /v2/apps"))
    assert [(call.nth, call.of) for call in calls] == [(1, 1)] * 3


def test_repeated_reads_between_changes_are_folded_and_changes_are_not() -> None:
    reads = [f"GET /v2/apps/{APP}"] * 5
    calls = recorded(Log(*reads, "POST /v2/apps", "POST /v2/apps", *reads, f"DELETE /v2/apps/{APP}"))
    assert [f"{call.method} {call.nth}" for call in folded(calls)] == [
        *("GET 1", "GET 3", "GET 5"),
        *("POST 1", "POST 2"),
        *("GET 6", "GET 8", "GET 10"),
        "DELETE 1",
    ]


def test_counted_collections_and_workers_are_folded_into_one_call() -> None:
    counted = [f"GET /api/collections/{name}/records" for name in ("humans", "posts", "votes")]
    workers = [
        f"GET /client/v4/accounts/{'a' * 32}/workers/scripts/{name}/settings" for name in ("one", "two", "three")
    ]
    assert [call.nth for call in folded(recorded(Log(*counted)))] == [2]
    assert [call.path.rpartition("scripts/")[2] for call in folded(recorded(Log(*workers)))] == ["two/settings"]


def test_a_login_does_not_count_as_a_change() -> None:
    (call,) = recorded(Log("POST /api/collections/_superusers/auth-with-password"))
    assert not call.changes
