"""Somebody who reads through the API while a network changes, and counts what failed."""

from __future__ import annotations

import threading
from collections import Counter
from types import TracebackType
from typing import Self

from httpclient import client, httpx
from ops.failures import Failure

PAUSE_SECONDS = 0.2
TITLE = "rehearsed"


class Reader:
    """Reads posts at `url` for as long as its context lasts. `reads` counts all, `failed` those by what they got."""

    def __init__(self, url: str) -> None:
        self.reads = 0
        self.failed: Counter[str] = Counter()
        self._url = url
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

    def move(self, url: str) -> None:
        """From now on the API is there."""
        self._url = url

    def plant(self, count: int) -> int:
        """A human with so many posts, made through the API. Raises Failure."""
        human = {"name": TITLE, "email": f"{TITLE}@example.org", "password": "rehearsed-password"}
        with client() as http:
            try:
                token = http.post(f"{self._url}/api/register", json=human).raise_for_status().json()["token"]
                for number in range(count):
                    post = {"title": f"{TITLE} {number}", "body": TITLE}
                    headers = {"Authorization": f"Bearer {token}"}
                    http.post(f"{self._url}/api/posts", json=post, headers=headers).raise_for_status()
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                raise Failure(
                    f"The base takes no posts ({type(error).__name__}); look: oracle rehearse --keep"
                ) from None
        return count

    def posts(self) -> int:
        """How many of the planted posts there are. Raises Failure."""
        try:
            with client() as http:
                answer = http.get(f"{self._url}/api/posts?perPage=100").raise_for_status().json()
            return sum(str(post["title"]).startswith(TITLE) for post in answer["items"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise Failure(f"The API lists no posts ({type(error).__name__}); look: oracle rehearse --keep") from None

    def _read(self) -> None:
        with client() as http:
            while not self._over.wait(PAUSE_SECONDS):
                self.reads += 1
                try:
                    status = http.get(f"{self._url}/api/posts?perPage=1").status_code
                except httpx.HTTPError as error:
                    self.failed[type(error).__name__] += 1
                else:
                    if status != 200:
                        self.failed[str(status)] += 1
