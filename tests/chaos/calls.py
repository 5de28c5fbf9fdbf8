"""The API calls of an update, in their order, and a fault for each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.live.project import Project

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ACCOUNT = re.compile(r"(?<=/accounts/)[0-9a-f]{32}")
BACKUP = re.compile(r"(?<=/api/backups/)[\w-]+\.zip")
RECORDS = re.compile(r"(?<=/api/collections/)\w+(?=/records)")
RECORD = re.compile(r"(?<=/records/)\w{15}$")
SCRIPT = re.compile(r"(?<=/workers/)(scripts|services)/[\w-]+")
APPS = "jellyfish-app*"
"""Hosts of the backends: what passes the edge on the update's behalf. People's own requests go to Workers."""
REFUSED = 403
"""A status that nobody asks again for."""


@dataclass(frozen=True)
class Call:
    """The `nth` (from 1) of `of` requests that look the same. `host` is a glob, None for the clouds' own APIs."""

    method: str
    path: str
    host: str | None
    nth: int
    of: int

    @property
    def name(self) -> str:
        shown = self.path.replace("?" * 8 + ("-" + "?" * 4) * 3 + "-" + "?" * 12, "ID").replace(
            "/client/v4/accounts/*", ""
        )
        return f"{self.method} {shown} {self.nth}/{self.of}{' (PocketBase)' if self.host else ''}"

    @property
    def changes(self) -> bool:
        """Whether it changes anything: logins are asked for by POST too."""
        return self.method != "GET" and not self.path.endswith(("/auth-with-password", "/files/token"))

    def fault(self, **what: Any) -> dict[str, Any]:
        place = {"host": self.host} if self.host else {}
        return {"method": self.method, "path": self.path, "skip": self.nth - 1, "count": 1, **place, **what}


def record(project: Project) -> None:
    """From now on every request is written down."""
    project.api("DELETE", "/_cloud/faults")
    project.api("DELETE", "/_cloud/requests")
    project.fault(host=APPS, path="*", record=True)


def recorded(project: Project) -> list[Call]:
    """What was requested since, in its order."""
    seen = project.api("GET", "/_cloud/requests")
    rows = [(row, None) for row in seen["requests"]] + [(row, APPS) for row in seen["edge"]]
    rows.sort(key=lambda row: str(row[0]["time"])[:23])
    asked = [(row["method"], _glob(row["path"]), row["path"], host) for row, host in rows]
    calls = []
    for place, (method, glob, _, host) in enumerate(asked):
        same = [i for i, (m, _, path, h) in enumerate(asked) if m == method and h == host and fnmatchcase(path, glob)]
        calls.append(Call(method, glob, host, same.index(place) + 1, len(same)))
    return calls


def folded(calls: list[Call]) -> list[Call]:
    """Of reads that follow one another in the same way between two changes: of an app's and a backend's the first, the
    middle and the last, of counted collections, checks and Workers the middle one."""
    kept: list[Call] = []
    for stretch in _stretches(calls):
        for call in stretch:
            same = [other for other in stretch if _alike(call, other)]
            place = same.index(call)
            wanted = {0, len(same) // 2, len(same) - 1}
            if call.path.endswith("/records") or "/uptime/" in call.path or "/workers/" in call.path:
                wanted = {len(same) // 2}
            if place in wanted:
                kept.append(call)
    return kept


def _stretches(calls: list[Call]) -> Iterator[list[Call]]:
    """What lies between two changes; a change ends its stretch."""
    stretch: list[Call] = []
    for call in calls:
        stretch.append(call)
        if call.changes:
            yield stretch
            stretch = []
    yield stretch


def _alike(one: Call, other: Call) -> bool:
    return (one.method, SCRIPT.sub("", one.path), one.host) == (other.method, SCRIPT.sub("", other.path), other.host)


def _glob(path: str) -> str:
    path = UUID.sub("????????-????-????-????-????????????", path)
    return RECORD.sub("*", RECORDS.sub("*", BACKUP.sub("*", ACCOUNT.sub("*", path))))
