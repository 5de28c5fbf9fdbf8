"""GitHub's REST API, version 2022-11-28, for the repository whose workflow this runs in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Self

from loopback import client, httpx
from ops.failures import Failure

LIMIT = 65_536  # characters of a comment or an issue, as GitHub refuses more
PAGE = 100


class GitHub:
    """The repository that GITHUB_REPOSITORY names, with the token in GITHUB_TOKEN."""

    def __init__(self, seconds: float = 30.0) -> None:
        token, repository = (needed(name) for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY"))
        api = os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
        self._address = f"{api}/repos/{repository}"
        self.owner = repository.partition("/")[0]
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        self._http = client(seconds, headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def asked(self, method: str, path: str, needs: str, body: Any = None) -> Any:
        """The answer's JSON; None for a GET of what does not exist. `needs` are the job's permissions for it, as a
        workflow has them. Raises Failure.
        """
        try:
            answer = self._http.request(method, f"{self._address}/{path}", json=body)
            if answer.status_code < 300:
                return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Failure(f"GitHub does not answer ({type(error).__name__}); try again") from None
        if method == "GET" and answer.status_code == 404:
            return None
        what = path.partition("?")[0]
        raise Failure(f"GitHub refused to {method} {what} ({answer.status_code}); the job needs: permissions: {needs}")

    def all(self, path: str, needs: str) -> Iterator[dict[str, Any]]:
        """Every item of a list that comes in pages."""
        mark = "&" if "?" in path else "?"
        for page in range(1, 100):
            found = self.asked("GET", f"{path}{mark}per_page={PAGE}&page={page}", needs) or []
            yield from found
            if len(found) < PAGE:
                return


def marked(about: str, text: str) -> str:
    """A comment's or an issue's text, by whose first line it is found again; cut where GitHub would refuse it."""
    mark = _mark(about)
    room = LIMIT - len(mark) - 100
    if len(text) > room:
        text = f"{text[:room]}\n\n(cut: it was too long for GitHub)"
    return f"{mark}\n{text}"


def ours(about: str, item: dict[str, Any]) -> bool:
    """Whether it is the one that we write about this. A person's that only looks like it is not touched."""
    by_a_person = (item.get("user") or {}).get("type") == "User"
    return str(item.get("body") or "").startswith(_mark(about)) and not by_a_person


def needed(name: str) -> str:
    """A variable that GitHub's runners set. Raises Failure."""
    value = os.environ.get(name)
    if not value:
        raise Failure(f"{name} is not set; this command is for GitHub's workflows: docs/how-to/ci.md")
    return value


def _mark(about: str) -> str:
    return f"<!-- oracle {about} -->"
