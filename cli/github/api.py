"""GitHub's REST API, version 2022-11-28, for the repository whose workflow this runs in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

from cli.ui.errors import CommandError
from clients.cloud_api import Api, ApiError, Unreachable
from errors import First, Remedy, UserError

T = TypeVar("T")

LIMIT = 65_536  # characters; GitHub refuses longer comments and issues
PAGE = 100


class Fields(dict[str, Any]):
    """An object in a response. Raises CommandError for a missing field."""

    def __missing__(self, key: str) -> Any:
        raise CommandError(
            f"The answer has no {key}, so it is not GitHub's.", First("check the variable GITHUB_API_URL", Remedy.RETRY)
        )


class GitHub:
    """The API of the repository in GITHUB_REPOSITORY, with the token in GITHUB_TOKEN."""

    def __init__(self, seconds: float = 30.0) -> None:
        token, repository = (needed(name) for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY"))
        api = os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
        self._path = f"/repos/{repository}"
        self.owner = repository.partition("/")[0]
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        self._api = Api("GitHub", api, token, "GITHUB_TOKEN", headers=headers, timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()

    def asked(self, method: str, path: str, needs: str, body: Any = None) -> Any:
        """Send a request and return the object in the response. None if a GET finds nothing.

        `needs` are the job's permissions for it, in a workflow's syntax. Raises UserError.
        """
        return self._request(method, path, needs, lambda answer: Fields(answer.items()), body)

    def all(self, path: str, needs: str) -> Iterator[dict[str, Any]]:
        """Yield every item of a paged list."""
        separator = "&" if "?" in path else "?"
        for page in range(1, 100):
            address = f"{path}{separator}per_page={PAGE}&page={page}"
            items = self._request("GET", address, needs, lambda answer: [Fields(each.items()) for each in answer]) or []
            yield from items
            if len(items) < PAGE:
                return

    def _request(self, method: str, path: str, needs: str, read: Callable[[Any], T], body: Any = None) -> T | None:
        try:
            return self._api.ask(method, f"{self._path}/{path}", read, body)
        except ApiError as error:
            if method == "GET" and error.status == 404:
                return None
            raise _refusal(error, f"{method} {path.partition('?')[0]}", needs) from None


def _refusal(error: ApiError, what: str, needs: str) -> UserError:
    answer = error.answer
    if isinstance(error, Unreachable):
        return CommandError(f"GitHub does not answer ({error.kind}).", Remedy.RETRY, cause=error.reason)
    if answer is None or error.transient:
        return error
    if answer.status == 403 and (answer.retry_after or answer.headers.get("x-ratelimit-remaining") == "0"):
        wait = First("run the job again in an hour")
        return CommandError("GitHub's limit of requests is reached.", wait, cause=answer.message())
    permissions = First(f"give the job the permissions `{needs}`")
    return CommandError(f"GitHub refused {what} (status {answer.status}).", permissions, cause=answer.message())


def marked(about: str, text: str) -> str:
    """Return the text of a comment or an issue with a first line that identifies it, cut to GitHub's limit."""
    mark = _mark(about)
    room = LIMIT - len(mark) - 100
    if len(text) > room:
        text = f"{text[:room]}\n\n(cut: it was too long for GitHub)"
    return f"{mark}\n{text}"


def ours(about: str, item: dict[str, Any]) -> bool:
    """Return whether it is our comment or issue on this subject. A person's copy is not ours."""
    by_a_person = (item.get("user") or {}).get("type") == "User"
    return str(item.get("body") or "").startswith(_mark(about)) and not by_a_person


def needed(name: str) -> str:
    """Return a variable that GitHub's runners set. Raises CommandError."""
    value = os.environ.get(name)
    if not value:
        raise CommandError(f"{name} is not set. This command is for GitHub's workflows (see docs/how-to/ci.md).")
    return value


def _mark(about: str) -> str:
    return f"<!-- oracle {about} -->"
