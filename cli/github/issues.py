"""Our issues: one for each subject, opened and updated while a problem lasts, then closed."""

from __future__ import annotations

from typing import Any

from cli.github.api import GitHub, marked, ours

NEEDS = "issues: write"


def open_or_update(hub: GitHub, about: str, title: str, text: str) -> str:
    """Open the issue or update the open one, and return its address. Raises CommandError."""
    body = {"title": title, "body": marked(about, text)}
    existing = _find_open(hub, about)
    if existing:
        return str(hub.asked("PATCH", f"issues/{existing['number']}", NEEDS, body)["html_url"])
    return str(hub.asked("POST", "issues", NEEDS, body)["html_url"])


def close(hub: GitHub, about: str) -> str | None:
    """Close the open issue with a comment, and return its address. None if no issue is open. Raises CommandError.

    A later problem gets a new issue, with its own dates and discussion.
    """
    existing = _find_open(hub, about)
    if existing is None:
        return None
    place = f"issues/{existing['number']}"
    hub.asked("POST", f"{place}/comments", NEEDS, {"body": "Not found any more."})
    return str(hub.asked("PATCH", place, NEEDS, {"state": "closed", "state_reason": "completed"})["html_url"])


def _find_open(hub: GitHub, about: str) -> dict[str, Any] | None:
    issues = hub.all("issues?state=open", NEEDS)
    return next((each for each in issues if "pull_request" not in each and ours(about, each)), None)
