"""Bounded load on one address while something changes behind it: kept-alive and fresh connections, reads and writes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from types import TracebackType

import httpx

from tests.support.http import NO_TLS

PAUSE_SECONDS = 0.002
"""Between two requests of one thread: hundreds a second are load enough, and the rest of the machine has its work."""


@dataclass
class Load:
    """`with Load(url, host) as load: change()`; afterwards `load.failures` lists what a client would have noticed."""

    url: str
    host: str
    limit: int = 20_000
    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._kept, args=("GET",), daemon=True),
            threading.Thread(target=self._kept, args=("POST",), daemon=True),
            threading.Thread(target=self._fresh, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(30)

    def _kept(self, method: str) -> None:
        with httpx.Client(trust_env=False, timeout=20, verify=NO_TLS) as client:
            self._ask(client, method)

    def _fresh(self) -> None:
        for _ in range(self.limit):
            if self._end.wait(PAUSE_SECONDS):
                return
            with httpx.Client(trust_env=False, timeout=20, verify=NO_TLS) as client:
                self._once(client, "GET")

    def _ask(self, client: httpx.Client, method: str) -> None:
        for _ in range(self.limit):
            if self._end.wait(PAUSE_SECONDS):
                return
            self._once(client, method)

    def _once(self, client: httpx.Client, method: str) -> None:
        try:
            response = client.request(
                method, self.url, headers={"host": self.host}, content=b"x" if method == "POST" else None
            )
        except httpx.HTTPError as error:
            self.failures.append(f"{method} {type(error).__name__}: {error}")
            return
        self.answers.append(response.text)
        if response.status_code != 200:
            self.failures.append(f"{method} {response.status_code} {response.text[:200]}")
