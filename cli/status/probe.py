"""Bounded requests: one GET with a time limit, and parallel calls with one deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from clients.http import client, httpx

Trouble = Literal["unknown host", "refused", "timeout", "certificate", "broken"]
NO_NAME = ("name or service not known", "nodename nor servname", "name resolution", "no address associated")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The result of one request: a status with its decoded JSON body, or the reason for no response."""

    status: int | None = None
    body: Any = None
    milliseconds: int | None = None
    trouble: Trouble | None = None
    detail: str = ""

    @property
    def ok(self) -> bool:
        return self.status == 200

    @property
    def field(self) -> Mapping[str, Any]:
        """The body if it is an object, else an empty one."""
        return self.body if isinstance(self.body, dict) else {}

    def __str__(self) -> str:
        return str(self.status) if self.status is not None else self.detail or str(self.trouble)


def get(url: str, seconds: float) -> Answer:
    """Send a GET request without following redirects."""
    start = time.monotonic()
    try:
        with client(timeout=seconds) as http:
            response = http.get(url)
    except httpx.HTTPError as error:
        return _troubled(error, seconds)
    took = round((time.monotonic() - start) * 1000)
    return Answer(status=response.status_code, body=_decoded(response), milliseconds=took)


def _decoded(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _troubled(error: httpx.HTTPError, seconds: float) -> Answer:
    text = str(error)
    if isinstance(error, httpx.TimeoutException):
        return Answer(trouble="timeout", detail=f"no answer in {seconds:g} s")
    if "certificate" in text.lower():
        return Answer(trouble="certificate", detail=_reason(text))
    if any(sign in text.lower() for sign in NO_NAME):
        return Answer(trouble="unknown host", detail="unknown host")
    if isinstance(error, httpx.ConnectError):
        return Answer(trouble="refused", detail="no connection")
    return Answer(trouble="broken", detail="the connection broke")


def _reason(text: str) -> str:
    """Return OpenSSL's message without its source position."""
    return (text.partition("certificate verify failed: ")[2] or text).partition(" (_ssl.c")[0]


class TimedOut:
    """The result of a call that did not end before the deadline."""


def gather_with_deadline(questions: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, Any]:
    """Run all calls in parallel, and return their results by name: TimedOut for those that take longer than `seconds`.

    An exception of a call is raised here. Late calls go on in threads that end with the process.
    """
    results: dict[str, Any] = {}
    errors: list[BaseException] = []

    def run(name: str, question: Callable[[], Any]) -> None:
        try:
            results[name] = question()
        except BaseException as error:  # raised again below, in the calling thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=item, name=item[0], daemon=True) for item in questions.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    if errors:
        raise errors[0]
    return {name: results.get(name, TimedOut()) for name in questions}
