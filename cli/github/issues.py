"""One open issue about each thing that a workflow finds: opened, kept up to date, closed when there is nothing left."""

from __future__ import annotations

from typing import Any

from cli.github.api import GitHub, marked, ours

NEEDS = "issues: write"


def open_or_update(hub: GitHub, about: str, title: str, text: str) -> str:
    """Opens the issue, or writes the open one anew; its address. Raises CommandError."""
    body = {"title": title, "body": marked(about, text)}
    known = _open(hub, about)
    if known:
        return str(hub.asked("PATCH", f"issues/{known['number']}", NEEDS, body)["html_url"])
    return str(hub.asked("POST", "issues", NEEDS, body)["html_url"])


def close(hub: GitHub, about: str) -> str | None:
    """Closes the open issue with a word; its address, or None when none is open. Raises CommandError.

    What comes later is another issue: each has its own days and its own answer.
    """
    known = _open(hub, about)
    if known is None:
        return None
    place = f"issues/{known['number']}"
    hub.asked("POST", f"{place}/comments", NEEDS, {"body": "Not found any more."})
    return str(hub.asked("PATCH", place, NEEDS, {"state": "closed", "state_reason": "completed"})["html_url"])


def _open(hub: GitHub, about: str) -> dict[str, Any] | None:
    found = hub.all("issues?state=open", NEEDS)
    return next((each for each in found if "pull_request" not in each and ours(about, each)), None)
