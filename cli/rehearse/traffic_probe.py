"""Probes of a rehearsed network: records in its backend, and reads of its API during the change."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from cli.backups.stack_backups import Backend
from cli.ui.errors import CommandError
from clients.http import client, httpx
from settings import HealthSettings

PAUSE_SECONDS = 0.2
COLLECTION = "rehearsed"
FIELDS = [{"name": "title", "type": "text"}]
NONE_THERE = 404


class Records:
    """Records in a collection of the rehearsal's own, which a superuser can create in any PocketBase."""

    def __init__(self, backend: Backend) -> None:
        assert backend.session is not None
        self._url = f"{backend.url}/api/collections"
        self._headers = {"Authorization": backend.session.token}

    def plant(self, count: int) -> int:
        """Create `count` records. Raises CommandError."""
        self._request("POST", "", {"name": COLLECTION, "type": "base", "fields": FIELDS})
        for number in range(count):
            self._request("POST", f"/{COLLECTION}/records", {"title": f"{COLLECTION} {number}"})
        return count

    def count(self) -> int:
        """Return the number of records, 0 without the collection. Raises CommandError."""
        return int(self._request("GET", f"/{COLLECTION}/records?perPage=1").get("totalItems", 0))

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            with client(headers=self._headers) as http:
                answer = http.request(method, self._url + path, json=body)
            if method == "GET" and answer.status_code == NONE_THERE:
                return {}
            return dict(answer.raise_for_status().json())
        except (httpx.HTTPError, ValueError, TypeError) as error:
            what = "list" if method == "GET" else "create"
            raise CommandError(f"The backend could not {what} records ({type(error).__name__}).") from None


class Reader:
    """Send reads to an address during its context. `reads` counts all of them, `failed` failures by status or error.

    `well` decides which responses are failures.
    """

    def __init__(self, url: str, well: HealthSettings) -> None:
        self.reads = 0
        self.failed: Counter[str] = Counter()
        self._target = (url, well)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def move(self, url: str, well: HealthSettings) -> None:
        """Change the address and the health check of the API."""
        self._target = (url, well)

    def _read(self) -> None:
        with client() as http:
            while not self._stop.wait(PAUSE_SECONDS):
                self.reads += 1
                url, well = self._target
                try:
                    status = http.get(f"{url}{well.path}").status_code
                except httpx.HTTPError as error:
                    self.failed[type(error).__name__] += 1
                else:
                    if not well.accepts(status):
                        self.failed[str(status)] += 1
