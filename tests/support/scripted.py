"""A stub server that gives scripted replies, in their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.stub_server import BROKEN, HTML, Reply, Request, StubServer

__all__ = ["BROKEN", "HTML", "Reply", "Scripted", "scripted"]


@dataclass
class Scripted:
    """Replies by path, without the query; the last of a list is given for ever. Other paths are 404, in JSON."""

    answers: dict[str, Sequence[Reply]] = field(default_factory=dict)
    address: str = ""
    asked: list[str] = field(default_factory=list)
    """Methods and paths, as in the requests' first lines."""
    headers: list[Mapping[str, str]] = field(default_factory=list)
    """Of the same requests, names in lower case."""

    def answer(self, request: Request) -> Reply:
        self.asked.append(f"{request.method} {request.target}")
        self.headers.append(request.headers)
        wanted = self.answers.get(request.path)
        if wanted is None:
            return Reply({"id": "not_found", "message": "not found"}, 404)
        rest = list(wanted)
        self.answers[request.path] = rest[1:] or rest
        return rest[0]


@contextmanager
def scripted(answers: Mapping[str, Sequence[Reply]] | None = None) -> Iterator[Scripted]:
    """A server for as long as the block lasts."""
    script = Scripted(dict(answers or {}))
    with StubServer(script.answer) as server:
        script.address = server.url
        yield script
