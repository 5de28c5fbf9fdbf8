"""Requests to the Cloudflare API and their responses, with errors in the official plugin's words."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from offline_plugins.api import Answer
from offline_plugins.resource import Props, ProviderError

FAILED = "failed to make http request"
GONE = "[WARNING] The resource was not found on the server and will be removed from state.: Resource not found"
_LONGEST = 4000  # characters of a response's body in an error


def described(answer: Answer) -> str:
    """Describe a refused request: `PUT "http://…": 400 Bad Request {…}`."""
    from http import HTTPStatus  # not at import: most runs have no error

    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = ""
    if answer.status == 422:
        phrase = "Unprocessable Entity"  # newer Pythons name it Unprocessable Content
    return f'{answer.method} "{answer.url}": {answer.status} {phrase} {answer.text[:_LONGEST]}'


def required(answer: Answer, doing: str = FAILED) -> Answer:
    """Return a successful response. Raises ProviderError for any other."""
    if answer.ok:
        return answer
    raise ProviderError(f"{doing}: {described(answer)}")


def result(answer: Answer, doing: str = FAILED) -> dict[str, Any]:
    """Return the `result` object of a successful response, or {}. Raises ProviderError for any other."""
    envelope = required(answer, doing).json
    if not isinstance(envelope, dict):
        raise ProviderError(f'failed to deserialize http request: {answer.method} "{answer.url}" is no JSON object')
    found = envelope.get("result")
    return found if isinstance(found, dict) else {}


def account_path(props: Props, *rest: str) -> str:
    """Return `/accounts/ID/…`, with each further part escaped. Raises ProviderError without an account id."""
    account = props.get("accountId")
    if not isinstance(account, str) or not account:
        raise ProviderError(f"{FAILED}: missing required account_id parameter")
    return "/" + "/".join(["accounts", *(quote(part, safe="") for part in (account, *rest))])


def import_parts(id: str, form: str) -> tuple[str, str]:
    """Split an import id like `<account_id>/<script_name>`. Raises ProviderError for any other form."""
    parts = id.split("/")
    if len(parts) != 2 or not all(parts):
        raise ProviderError(f'invalid ID: expected urlencoded segments "{form}", got "{id}"')
    return unquote(parts[0]), unquote(parts[1])
