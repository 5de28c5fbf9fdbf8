"""What is said to PocketBase's routes for backups, and what its answers mean; pocketbase.backups builds on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from clients.http import client, httpx
from clients.pocketbase.admin import Login
from retry import backoff

ROUTE = "/api/backups"
NAME = re.compile(r"[a-z0-9_-]{1,146}\.zip")
ANSWER_SECONDS = 120.0
"""For one answer: longer than the gateways in front of a backend wait, so that theirs is seen, or none."""
CONNECT_SECONDS = 10.0
PATIENCE_SECONDS = 10.0
"""For a backend that is away while it is asked something."""
AGAIN = "try again: pulumi up"


class BackupFailed(Exception):
    """A backup was not made, moved or restored; one sentence, without tokens."""


@dataclass(frozen=True, kw_only=True)
class StoredBackup:
    """A backup that the backend holds. size: bytes; modified: PocketBase's own form, UTC."""

    name: str
    size: int
    modified: str


@contextmanager
def connect(session: Login, seconds: float = ANSWER_SECONDS) -> Iterator[httpx.Client]:
    """A client that speaks as the superuser; `seconds` may pass without a byte."""
    with client(timeout=seconds, headers={"Authorization": session.token}) as http:
        http.timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
        yield http


def stored(http: httpx.Client, url: str) -> list[StoredBackup]:
    """The backups that the backend holds, in the order of names. Raises BackupFailed."""
    found = [
        StoredBackup(name=str(each["key"]), size=int(each["size"]), modified=str(each["modified"]))
        for each in ask(http, url, ROUTE)
    ]
    return sorted(found, key=lambda each: each.name)


def size_of(http: httpx.Client, url: str, name: str) -> int | None:
    """Bytes of that backup; None when the backend does not hold it. Raises BackupFailed."""
    return next((each.size for each in stored(http, url) if each.name == name), None)


def idle(http: httpx.Client, url: str) -> bool:
    """Whether no backup or restore is under way, as far as a superuser is told. Raises BackupFailed."""
    return bool(ask(http, url, "/api/health").get("data", {}).get("canBackup"))


def ask(http: httpx.Client, url: str, path: str, **parameters: str) -> Any:
    """What GET answers as JSON, asked again for a while when the backend is away. Raises BackupFailed."""
    said = "nothing"
    for _ in backoff(PATIENCE_SECONDS):
        try:
            response = http.get(f"{url}{path}", params=parameters)
            if response.status_code == 200:
                return response.json()
            said = str(response.status_code)
            if response.status_code < 500:
                break
        except (httpx.HTTPError, ValueError) as error:
            said = type(error).__name__
    raise BackupFailed(f"The backend at {url} answered {said} to GET {path}; {AGAIN}")


def attempt(http: httpx.Client, method: str, url: str, **options: Any) -> str:
    """What the backend said, once: "204", "refused (status 4xx: why)", or the trouble in which no answer came."""
    try:
        response = http.request(method, url, **options)
    except httpx.HTTPError as error:
        return type(error).__name__
    if 400 <= response.status_code < 500 and response.status_code != 408:
        return f"refused (status {response.status_code}: {_reason(response)})"
    return str(response.status_code)


def check_name(name: str) -> None:
    """Raises BackupFailed for a name that PocketBase would not give to a backup."""
    if not NAME.fullmatch(name):
        raise BackupFailed(
            f"{name!r} is no name of a backup: lower-case letters, digits, _ and - before .zip, at most 150 "
            "characters; name it so, then try again: pulumi up"
        )


def _reason(response: httpx.Response) -> str:
    """PocketBase's own words for a refusal, or those for the fields that it does not like."""
    with suppress(ValueError, AttributeError, TypeError, KeyError, IndexError):
        body = response.json()
        fields = "; ".join(str(each["message"]) for each in dict(body.get("data") or {}).values())
        return (fields or str(body["message"])).strip().splitlines()[0].rstrip(".")
    return "no reason given"
