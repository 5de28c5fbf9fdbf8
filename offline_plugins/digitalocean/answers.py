"""Requests to the API and what its refusals look like: the error texts of godo, DigitalOcean's Go client."""

from __future__ import annotations

from typing import Any

from offline_plugins.api import Answer, Api
from offline_plugins.resource import ProviderError


def call(api: Api, what: str, method: str, path: str, body: Any = None, query: dict[str, str] | None = None) -> Any:
    """The decoded answer. Raises Refused, its text beginning with `what` ("Error creating App"), or Unreachable."""
    answer = api.send_json(method, path, body, query)
    if not answer.ok:
        raise Refused(what, answer)
    return answer.json or {}


class Refused(ProviderError):
    """The API answered an error; `status` is its HTTP status."""

    def __init__(self, what: str, answer: Answer) -> None:
        super().__init__(f"{what}: {_worded(answer)}")
        self.status = answer.status


def _worded(answer: Answer) -> str:
    body = answer.json if isinstance(answer.json, dict) else {}
    number = answer.headers.get("x-request-id") or body.get("request_id")
    request = f' (request "{number}")' if number else ""
    text = f"{answer.method} {answer.url}: {answer.status}{request} {body.get('message', answer.text)}"
    return f"{text}; giving up after {answer.tries} attempt(s)" if answer.tries > 1 else text


def listed(text: str) -> str:
    """The text as the SDK prints the only error of a step."""
    return f"1 error occurred:\n\t* {text}\n\n"
