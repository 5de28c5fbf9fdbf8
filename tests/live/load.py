"""A steady load of reads and writes through the api Worker, and an account of what became of each of them."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from clients.http import client, httpx

PAUSE = 0.25
"""Each of four loops asks again after this: a dozen requests a second, and most of the machine is left to others."""


@dataclass
class Load:
    """Two loops that read and two that write; of each pair one keeps its connection and one makes new ones."""

    url: str
    name: str
    reads: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)
    """Titles of the posts that the API said it had taken."""
    refusals: list[float] = field(default_factory=list)
    """When a write was refused by the hold, in seconds of the monotonic clock."""
    began: float = 0.0
    ended: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)
    _accounts: Iterator[int] = field(default_factory=itertools.count)

    @property
    def window(self) -> float:
        """Seconds from the first to the last refused write."""
        return self.refusals[-1] - self.refusals[0] if self.refusals else 0.0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return (self.reads.total() + self.writes.total()) / (self.ended - self.began)

    def summary(self) -> str:
        return (
            f"{self.name}: {self.rate:.0f} requests/s for {self.ended - self.began:.1f} s; reads {dict(self.reads)}; "
            f"writes {dict(self.writes)}; refused {len(self.refusals)} within {self.window:.2f} s"
        )

    def _read(self, keep: bool) -> None:
        with client(timeout=15) as kept:
            while not self._over.wait(PAUSE):
                self.reads[self._status(kept, keep, "GET", "/api/posts?perPage=1", None, None)[0]] += 1

    def _write(self, keep: bool) -> None:
        with client(timeout=15) as kept:
            token = None
            while not self._over.wait(PAUSE):
                token = token or self._account(kept)
                if token is None:
                    continue
                title = f"{self.name}-{time.monotonic_ns()}-{keep}"
                status, _ = self._status(kept, keep, "POST", "/api/posts", {"title": title, "body": "load"}, token)
                self.writes[status] += 1
                if status == "201":
                    self.acknowledged.append(title)
                if status in ("401", "403"):
                    token = None  # the account went with the data that it belonged to

    def _account(self, http: httpx.Client) -> str | None:
        number = next(self._accounts)
        body = {"name": "load", "email": f"{self.name}-{number}@example.org", "password": "load-password"}
        status, answer = self._status(http, True, "POST", "/api/register", body, None)
        self.writes[f"register {status}"] += 1
        return str(answer.json()["token"]) if answer is not None and status == "201" else None

    def _status(
        self, kept: httpx.Client, keep: bool, method: str, path: str, body: object, token: str | None
    ) -> tuple[str, httpx.Response | None]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            if keep:
                answer = kept.request(method, self.url + path, json=body, headers=headers)
            else:
                with client(timeout=15) as fresh:
                    answer = fresh.request(method, self.url + path, json=body, headers=headers)
        except httpx.HTTPError as error:
            return type(error).__name__, None
        if answer.headers.get("x-oracle-hold") == "1":
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            self.refusals.append(time.monotonic())
            return "held", answer
        return str(answer.status_code), answer


@contextmanager
def running(url: str, name: str) -> Iterator[Load]:
    """Load on the api Worker at `url` for as long as the block lasts, and a little before and after it."""
    load = Load(url, name)
    kinds = [(load._read, True), (load._read, False), (load._write, True), (load._write, False)]
    threads = [threading.Thread(target=kind, args=(keep,), daemon=True) for kind, keep in kinds]
    load.began = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        _more(load)
        yield load
        _more(load)
    finally:
        load._over.set()
        for thread in threads:
            thread.join(30)
        load.ended = time.monotonic()


def _more(load: Load) -> None:
    """Returns when some more reads and acknowledged writes have come through."""
    from tests.support.waiting import until

    reads, writes = load.reads["200"] + 5, len(load.acknowledged) + 5
    until(lambda: load.reads["200"] >= reads and len(load.acknowledged) >= writes, "the load comes through")
