"""A stub server that answers what was recorded, in the recorded order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from email import message_from_bytes
from typing import Any

from tests.support.stub_server import Reply, Request, StubServer

__all__ = ["Answer", "Request", "Stub", "content"]


def content(request: Request) -> Any:
    """The body as the recordings have it: decoded JSON, `{"$multipart": parts}`, text, or None without a body."""
    if not request.body:
        return None
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/"):
        return {"$multipart": _parts(request.body, kind)}
    try:
        return json.loads(request.body)
    except ValueError:
        return request.body.decode()


def _parts(body: bytes, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    for part in message.get_payload():
        assert not isinstance(part, str)
        headers = {name.lower(): value for name, value in part.items()}
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        text = payload.decode()
        found.append({"headers": headers} | _content(text, headers.get("content-type", "")))
    return found


def _content(text: str, kind: str) -> dict[str, Any]:
    if kind != "application/json":
        return {"text": text}
    try:
        return {"json": json.loads(text)}
    except ValueError as error:
        return {"text": text, "notJson": str(error)}


Answer = Mapping[str, Any]  # status, responseHeaders?, responseBody?


class Stub(StubServer):
    """A request that no recording is left for is answered 599, once."""

    def __init__(self) -> None:
        super().__init__(self._next)
        self._answers: list[Answer] = []
        self._by: Callable[[Request], Answer] | None = None

    def __enter__(self) -> Stub:
        super().__enter__()
        return self

    def expect(self, exchanges: Sequence[Answer]) -> None:
        """Forget the requests so far; the next ones are answered with these, in order."""
        self.requests, self._answers, self._by = [], list(exchanges), None

    def answer_by(self, answer: Callable[[Request], Answer]) -> None:
        """Forget the requests so far; the next ones are answered by a function."""
        self.requests, self._answers, self._by = [], [], answer

    def _next(self, request: Request) -> Reply:
        if self._by:
            return _reply(self._by(request))
        if self._answers:
            return _reply(self._answers.pop(0))
        return Reply("nothing was recorded", 599, headers={"x-should-retry": "false"})


def _reply(answer: Answer) -> Reply:
    """A recorded answer; a text is sent as it is, anything else as JSON."""
    body = answer.get("responseBody", "")
    raw = body if isinstance(body, str) else json.dumps(body)
    sent = "" if answer["status"] == 204 else raw
    return Reply(sent, answer["status"], headers=answer.get("responseHeaders") or {})
