"""The data summary of a backend: records of every collection, users, files, and the time of the last write.

Routes: https://pocketbase.io/docs/api-collections/ and https://pocketbase.io/docs/api-records/. Each page of a list has
`totalItems`, so a page of one record with only that field is a count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from clients.http import client, httpx
from clients.pocketbase.admin import Login
from errors import Remedy, UserError
from retry import backoff

AT_ONCE = 8
"""Concurrent requests, since most of the time is spent waiting for the server."""
PAGE = 500
TRANSIENT = frozenset({429, 502, 503, 504})


class CountError(UserError):
    """The backend did not return its counts. The text never contains the token."""


@dataclass(frozen=True, kw_only=True)
class DataSummary:
    """The contents of a backend, in numbers.

    `records` has a count for each collection, including system collections, without views. `users` is the number of
    records of auth collections except _superusers. `files` is the number of stored files. `last_write` is the newest
    autodate of all collections except PocketBase's own: ISO 8601 in UTC ("2026-11-22T15:50:35.123Z"), or None.
    """

    records: dict[str, int]
    users: int
    files: int
    last_write: str | None


def own_records(records: Mapping[str, int]) -> dict[str, int]:
    """Return the counts without PocketBase's own collections, which begin with `_` and change at every login."""
    return {name: count for name, count in records.items() if not name.startswith("_")}


@dataclass(frozen=True)
class _Query:
    """One request for the records of a collection."""

    collection: str
    parameters: tuple[tuple[str, str], ...]


def count_records(url: str, session: Login) -> dict[str, int]:
    """Count the records of every collection except views, including system collections. Raises CountError."""
    with _Requests(url, session) as asker:
        return _records(asker, asker.collections())


def summarize_data(url: str, session: Login) -> DataSummary:
    """Return the data summary of a backend. Raises CountError."""
    with _Requests(url, session) as asker:
        collections = asker.collections()
        records = _records(asker, collections)
        people = (each["name"] for each in collections if each["type"] == "auth" and each["name"] != "_superusers")
        return DataSummary(
            records=records,
            users=sum(records[name] for name in people),
            files=_files(asker, collections),
            last_write=_last_write(asker, [each for each in collections if not each["system"]]),
        )


def _records(asker: _Requests, collections: list[dict[str, Any]]) -> dict[str, int]:
    names = [each["name"] for each in collections]
    counts = asker.counts(_count(name) for name in names)
    return dict(zip(names, counts, strict=True))


def _files(asker: _Requests, collections: list[dict[str, Any]]) -> int:
    """Count the stored files without reading records.

    The counts of records with at least 1, 2, 3 … files are added: a record with n files is in n of them.
    """
    single: list[tuple[str, str]] = []
    several: list[tuple[str, str]] = []
    for collection, field in _fields(collections, "file"):
        (several if int(field.get("maxSelect") or 0) > 1 else single).append((collection, field["name"]))
    total = sum(asker.counts(_count(collection, f"{name} != ''") for collection, name in single))
    least = 1
    while several:
        counts = asker.counts(_count(collection, f"{name}:length >= {least}") for collection, name in several)
        total += sum(counts)
        several = [field for field, count in zip(several, counts, strict=True) if count]
        least += 1
    return total


def _last_write(asker: _Requests, collections: list[dict[str, Any]]) -> str | None:
    dates = [(collection, field["name"]) for collection, field in _fields(collections, "autodate")]
    answers = asker.ask(_newest(collection, name) for collection, name in dates)
    dates_found = [
        str(item[name]) for (_, name), answer in zip(dates, answers, strict=True) for item in answer["items"]
    ]
    return max(dates_found).replace(" ", "T") if any(dates_found) else None


def _fields(collections: list[dict[str, Any]], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for collection in collections:
        for field in collection["fields"]:
            if field["type"] == kind:
                yield collection["name"], field


def _count(collection: str, condition: str = "") -> _Query:
    return _Query(collection, (("perPage", "1"), ("fields", "totalItems"), ("filter", condition)))


def _newest(collection: str, field: str) -> _Query:
    return _Query(collection, (("perPage", "1"), ("skipTotal", "1"), ("sort", f"-{field}"), ("fields", field)))


class _Requests:
    """Sends concurrent requests to one backend, over persistent connections."""

    def __init__(self, url: str, session: Login) -> None:
        self._url = url
        self._http = client(timeout=60.0, headers={"Authorization": session.token})
        self._threads = ThreadPoolExecutor(AT_ONCE)

    def __enter__(self) -> _Requests:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._http.close()

    def collections(self) -> list[dict[str, Any]]:
        """Return all collections except views, sorted by name."""
        collections: list[dict[str, Any]] = []
        parameters = {"perPage": str(PAGE), "sort": "name", "skipTotal": "1"}
        while True:
            page = len(collections) // PAGE + 1
            items = self._get("/api/collections", {**parameters, "page": str(page)})["items"]
            collections += items
            if len(items) < PAGE:
                return [each for each in collections if each["type"] != "view"]

    def ask(self, queries: Iterable[_Query]) -> list[dict[str, Any]]:
        """Return the answers in the order of the queries."""
        return list(self._threads.map(self._list, queries))

    def counts(self, queries: Iterable[_Query]) -> list[int]:
        return [int(answer["totalItems"]) for answer in self.ask(queries)]

    def _list(self, query: _Query) -> dict[str, Any]:
        return self._get(f"/api/collections/{quote(query.collection)}/records", dict(query.parameters))

    def _get(self, path: str, parameters: dict[str, str]) -> dict[str, Any]:
        """GET a path, with retries for ten seconds when the server is busy or does not answer."""
        result = "nothing"
        for _ in backoff(10.0, first=0.1):
            try:
                response = self._http.get(f"{self._url}{path}", params=parameters)
                if response.status_code == 200:
                    return dict(response.json())
                result = str(response.status_code)
                if response.status_code not in TRANSIENT:
                    break
            except (httpx.HTTPError, ValueError, TypeError) as error:
                result = type(error).__name__
        raise CountError(f"The backend at {self._url} answered {result} to GET {path}.", Remedy.RETRY)
