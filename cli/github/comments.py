"""Our comments on a pull request: one for each subject, updated each time."""

from __future__ import annotations

from cli.github.api import GitHub, marked, ours

NEEDS = "pull-requests: write"


def comment(hub: GitHub, number: int, about: str, text: str) -> str:
    """Create or update our comment, and return its address. Raises CommandError."""
    body = {"body": marked(about, text)}
    existing = next((each for each in hub.all(f"issues/{number}/comments", NEEDS) if ours(about, each)), None)
    if existing:
        return str(hub.asked("PATCH", f"issues/comments/{existing['id']}", NEEDS, body)["html_url"])
    return str(hub.asked("POST", f"issues/{number}/comments", NEEDS, body)["html_url"])
