"""Find requests to a backend that are not this program's, in PocketBase's own log."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clients.http import USER_AGENT, client, httpx
from clients.pocketbase.admin import AdminError, Login, ask
from clients.pocketbase.freeze import MARKER
from errors import Remedy
from retry import backoff

BATCH = 200
"""PocketBase writes its log after three seconds without entries, or when it has this many new ones (core/base.go)."""
AT_ONCE = 8
WRITTEN_SECONDS = 20.0
SHOWN = 5


@dataclass(frozen=True)
class Request:
    """A request in the log. `at` is UTC in PocketBase's format."""

    at: str
    method: str
    path: str
    agent: str
    ip: str

    def __str__(self) -> str:
        by = self.agent or "a client that does not name itself"
        return f"{self.method} {self.path} at {self.at[:19]} UTC by {by}{f' ({self.ip})' if self.ip else ''}"


def record_requests(url: str, operator: Login) -> None:
    """Make the backend log every request with its IP address. Raises AdminError."""
    with client(timeout=30, headers={"Authorization": operator.token}) as http:
        logs = ask(http, "GET", f"{url}/api/settings").json().get("logs") or {}
        settings = {"maxDays": max(1, int(logs.get("maxDays") or 0)), "minLevel": 0, "logIP": True}
        if any(logs.get(name) != value for name, value in settings.items()):
            ask(http, "PATCH", f"{url}/api/settings", {"logs": {**logs, **settings}})


def requests_since(url: str, operator: Login, moment: datetime, health_path: str) -> list[Request]:
    """Return the first requests to PocketBase's API after `moment` that are not this program's, oldest first.

    Health checks and reads of the freeze's state are left out. Raises AdminError.
    """
    with client(timeout=30, headers={"Authorization": operator.token}) as http:
        _flush(http, url)
        conditions = (
            "data.type = 'request'",
            f"created >= '{moment:%Y-%m-%d %H:%M:%S}.000Z'",
            f"data.userAgent !~ '{USER_AGENT}'",
            "data.url ~ '/api/%'",
            f"data.url !~ '/{MARKER}/'",
            f"data.url != '{health_path}'",
        )
        query = {"filter": " && ".join(conditions), "sort": "created", "perPage": str(SHOWN), "skipTotal": "1"}
        answer = ask(http, "GET", f"{url}/api/logs", params=query)
    return [_request(each) for each in answer.json()["items"]]


def _request(item: dict[str, Any]) -> Request:
    data = item["data"]
    return Request(
        at=str(item["created"]),
        method=str(data.get("method", "")),
        path=str(data.get("url", "")).partition("?")[0],
        agent=str(data.get("userAgent", "")),
        ip=str(data.get("userIP") or data.get("remoteIP") or ""),
    )


def _flush(http: httpx.Client, url: str) -> None:
    """Fill a batch of the log, and wait until it is written together with all earlier entries. Raises AdminError."""
    nonce = secrets.token_hex(8)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda _: ask(http, "GET", f"{url}/api/health?{nonce}"), range(BATCH)))
    query = {"filter": f"data.url ~ '{nonce}'", "perPage": "1", "skipTotal": "1"}
    for _ in backoff(WRITTEN_SECONDS):
        if ask(http, "GET", f"{url}/api/logs", params=query).json()["items"]:
            return
    raise AdminError(f"The backend at {url} writes no log of its requests.", Remedy.RETRY)
