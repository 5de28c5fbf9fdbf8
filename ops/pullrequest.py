"""One comment of ours on a pull request, written anew each time. GitHub's REST API, "issue comments", 2022-11-28."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from loopback import client, httpx
from ops.failures import Failure

MARK = "<!-- oracle plan -->"
"""How our comment is found again."""
LIMIT = 65_536  # characters of a comment, as GitHub refuses more
PAGE = 100


class PullRequest:
    """Number `number` of the repository that GITHUB_REPOSITORY names, with the token in GITHUB_TOKEN."""

    def __init__(self, number: int, seconds: float = 30.0) -> None:
        token, repository = (_needed(name) for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY"))
        self._comments = f"{_api()}/repos/{repository}/issues"
        self._number = number
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        self._http = client(seconds, headers)

    def __enter__(self) -> PullRequest:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def comment(self, text: str) -> str:
        """Writes our comment, a new one or the one there is; its address. Raises Failure."""
        body = {"body": f"{MARK}\n{_fitting(text)}"}
        known = next((each for each in self._all() if str(each.get("body", "")).startswith(MARK)), None)
        if known:
            return str(self._asked("PATCH", f"{self._comments}/comments/{known['id']}", body)["html_url"])
        return str(self._asked("POST", f"{self._comments}/{self._number}/comments", body)["html_url"])

    def _all(self) -> Iterator[dict[str, Any]]:
        for page in range(1, 100):
            found = self._asked("GET", f"{self._comments}/{self._number}/comments?per_page={PAGE}&page={page}")
            yield from found
            if len(found) < PAGE:
                return

    def _asked(self, method: str, url: str, body: Any = None) -> Any:
        try:
            answer = self._http.request(method, url, json=body)
            if answer.status_code < 300:
                return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Failure(f"GitHub does not answer ({type(error).__name__}); try again") from None
        raise Failure(
            f"GitHub refused to {method} the comment ({answer.status_code}); the job needs: permissions: "
            "pull-requests: write"
        )


def _needed(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise Failure(f"{name} is not set; this command is for GitHub's workflows: .github/workflows/preview.yml")
    return value


def _api() -> str:
    return os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")


def _fitting(text: str) -> str:
    room = LIMIT - len(MARK) - 100
    return text if len(text) <= room else f"{text[:room]}\n\n(cut: it was too long for a comment)"
