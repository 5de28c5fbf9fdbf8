"""Requests to the API, and errors with the texts of godo, DigitalOcean's Go client."""

from __future__ import annotations

from typing import Any

from offline_plugins.api import Answer, Api
from offline_plugins.resource import ProviderError


def call(api: Api, what: str, method: str, path: str, body: Any = None, query: dict[str, str] | None = None) -> Any:
    """Send a request; return the decoded response. Raises Refused, which starts with `what` ("Error creating App"), or
    Unreachable.
    """
    answer = api.send_json(method, path, body, query)
    if not answer.ok:
        raise Refused(what, answer)
    return answer.json or {}


class Refused(ProviderError):
    """The API returned an error; `status` is its HTTP status."""

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
    """Return the text as the SDK prints a step's only error."""
    return f"1 error occurred:\n\t* {text}\n\n"
