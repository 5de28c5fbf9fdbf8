"""Requests to PocketBase's backup routes, and their answers. `backups` and `restores` use them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from clients.http import client, httpx
from clients.pocketbase.admin import Login
from errors import First, Remedy, UserError
from retry import backoff

ROUTE = "/api/backups"
NAME = re.compile(r"[a-z0-9_-]{1,146}\.zip")
ANSWER_SECONDS = 120.0
"""The timeout of an answer. It is longer than that of gateways before a backend, so that we get their answer."""
CONNECT_SECONDS = 10.0
PATIENCE_SECONDS = 10.0
"""The time for retries when the backend does not answer."""


class BackupFailed(UserError):
    """A backup was not created, transferred or restored. The text never contains a token."""


@dataclass(frozen=True, kw_only=True)
class StoredBackup:
    """A backup on the backend. `size` is in bytes; `modified` is UTC in PocketBase's format."""

    name: str
    size: int
    modified: str


@contextmanager
def connect(session: Login, seconds: float = ANSWER_SECONDS) -> Iterator[httpx.Client]:
    """Return a client with the superuser's session. `seconds` is the limit between two bytes of an answer."""
    with client(timeout=seconds, headers={"Authorization": session.token}) as http:
        http.timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
        yield http


def stored(http: httpx.Client, url: str) -> list[StoredBackup]:
    """Return the backups on the backend, sorted by name. Raises BackupFailed."""
    backups = [
        StoredBackup(name=str(each["key"]), size=int(each["size"]), modified=str(each["modified"]))
        for each in ask(http, url, ROUTE)
    ]
    return sorted(backups, key=lambda each: each.name)


def size_of(http: httpx.Client, url: str, name: str) -> int | None:
    """Return the size of a backup in bytes; None if it is not on the backend. Raises BackupFailed."""
    return next((each.size for each in stored(http, url) if each.name == name), None)


def idle(http: httpx.Client, url: str) -> bool:
    """Return whether no backup or restore is in progress, as PocketBase reports to superusers. Raises BackupFailed."""
    return bool(ask(http, url, "/api/health").get("data", {}).get("canBackup"))


def ask(http: httpx.Client, url: str, path: str, **parameters: str) -> Any:
    """GET a path and return its JSON, with retries when the backend does not answer. Raises BackupFailed."""
    result = "nothing"
    for _ in backoff(PATIENCE_SECONDS):
        try:
            response = http.get(f"{url}{path}", params=parameters)
            if response.status_code == 200:
                return response.json()
            result = str(response.status_code)
            if response.status_code < 500:
                break
        except (httpx.HTTPError, ValueError) as error:
            result = type(error).__name__
    raise BackupFailed(f"The backend at {url} answered {result} to GET {path}.", Remedy.RETRY)


def attempt(http: httpx.Client, method: str, url: str, **options: Any) -> str:
    """Send one request without retries. Returns "204", "refused (status 4xx: why)", or the name of the error."""
    try:
        response = http.request(method, url, **options)
    except httpx.HTTPError as error:
        return type(error).__name__
    if 400 <= response.status_code < 500 and response.status_code != 408:
        return f"refused (status {response.status_code}: {_reason(response)})"
    return str(response.status_code)


def failed(problem: str, result: str) -> BackupFailed:
    """Return the error for a request with this result of `attempt`."""
    cause = result if result.startswith("refused") else f"it answered {result}"
    return BackupFailed(problem, Remedy.RETRY, cause=cause)


def check_name(name: str) -> None:
    """Raise BackupFailed for an invalid name of a backup."""
    if not NAME.fullmatch(name):
        raise BackupFailed(
            f"{name!r} is not a name of a backup.",
            First("use lower-case letters, digits, _ and - before .zip, and at most 150 characters", Remedy.RETRY),
        )


def _reason(response: httpx.Response) -> str:
    """Return PocketBase's messages for the refused fields, or else its message for the request."""
    with suppress(ValueError, AttributeError, TypeError, KeyError, IndexError):
        body = response.json()
        fields = "; ".join(str(each["message"]) for each in dict(body.get("data") or {}).values())
        return (fields or str(body["message"])).strip().splitlines()[0].rstrip(".")
    return "no reason given"
