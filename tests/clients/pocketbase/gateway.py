"""A gateway in front of a backend that can do what gateways do: give up, cut off, lose, and drop headers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tests.support.http import NO_TLS
from tests.support.stub_server import Reply, Request, StubServer


@dataclass
class Passing:
    """A request on its way, body included; `path` has the query, `headers` have names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    upstream: str

    def forward(self) -> httpx.Response:
        with httpx.Client(verify=NO_TLS, timeout=30, trust_env=False) as client:
            return client.request(self.method, self.upstream + self.path, headers=self.headers, content=self.body)


@dataclass
class Answer:
    """`cut`: only so many bytes of the body go out before the connection closes."""

    status: int
    body: bytes
    cut: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


Interfere = Callable[[Passing], Answer | None]
"""What happens to a request instead of being passed on; None: nothing."""


class Gateway(StubServer):
    """Listens on loopback while the block lasts."""

    def __init__(self, upstream: str, interfere: Interfere) -> None:
        super().__init__(self._forward, keep_alive=True)  # workerd reuses connections
        self._upstream = upstream
        self._interfere = interfere

    def __enter__(self) -> Gateway:
        super().__enter__()
        return self

    @property
    def seen(self) -> list[str]:
        """The requests, "METHOD /path" without queries."""
        return [f"{request.method} {request.path}" for request in self.requests]

    def _forward(self, request: Request) -> Reply:
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "connection")}
        passing = Passing(request.method, request.target, headers, request.body, self._upstream)
        answer = self._interfere(passing) or passed_on(passing)
        return Reply(answer.body, answer.status, headers=dict(answer.headers), cut=answer.cut)


def passed_on(passing: Passing) -> Answer:
    """The backend's own answer, or a gateway's when there is none."""
    try:
        response = passing.forward()
    except httpx.HTTPError:
        return Answer(502, b"bad gateway")
    return Answer(response.status_code, response.content)
