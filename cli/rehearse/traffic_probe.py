"""A network that is rehearsed, seen from outside: records of our own in its backend, and reads while it changes."""

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
    """Records in a collection of the rehearsal's own, which any PocketBase takes from its superuser."""

    def __init__(self, backend: Backend) -> None:
        assert backend.session is not None
        self._url = f"{backend.url}/api/collections"
        self._headers = {"Authorization": backend.session.token}

    def plant(self, count: int) -> int:
        """Makes so many records. Raises CommandError."""
        self._asked("POST", "", {"name": COLLECTION, "type": "base", "fields": FIELDS})
        for number in range(count):
            self._asked("POST", f"/{COLLECTION}/records", {"title": f"{COLLECTION} {number}"})
        return count

    def count(self) -> int:
        """How many there are; none where the backend has no such collection. Raises CommandError."""
        return int(self._asked("GET", f"/{COLLECTION}/records?perPage=1").get("totalItems", 0))

    def _asked(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            with client(headers=self._headers) as http:
                answer = http.request(method, self._url + path, json=body)
            if method == "GET" and answer.status_code == NONE_THERE:
                return {}
            return dict(answer.raise_for_status().json())
        except (httpx.HTTPError, ValueError, TypeError) as error:
            what = "lists no records" if method == "GET" else "takes no records"
            raise CommandError(f"The backend {what} ({type(error).__name__}); look: oracle rehearse --keep") from None


class Reader:
    """Reads an address for as long as its context lasts. `reads` counts all, `failed` those by what they got.

    `well` says which answers are none that failed.
    """

    def __init__(self, url: str, well: HealthSettings) -> None:
        self.reads = 0
        self.failed: Counter[str] = Counter()
        self._asks = (url, well)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, name="reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def move(self, url: str, well: HealthSettings) -> None:
        """From now on the API is there, and shows so that it is well."""
        self._asks = (url, well)

    def _read(self) -> None:
        with client() as http:
            while not self._over.wait(PAUSE_SECONDS):
                self.reads += 1
                url, well = self._asks
                try:
                    status = http.get(f"{url}{well.path}").status_code
                except httpx.HTTPError as error:
                    self.failed[type(error).__name__] += 1
                else:
                    if not well.accepts(status):
                        self.failed[str(status)] += 1
