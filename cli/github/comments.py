"""One comment of ours on a pull request about each thing, written anew each time."""

from __future__ import annotations

from cli.github.api import GitHub, marked, ours

NEEDS = "pull-requests: write"


def comment(hub: GitHub, number: int, about: str, text: str) -> str:
    """Writes our comment, a new one or the one there is; its address. Raises CommandError."""
    body = {"body": marked(about, text)}
    known = next((each for each in hub.all(f"issues/{number}/comments", NEEDS) if ours(about, each)), None)
    if known:
        return str(hub.asked("PATCH", f"issues/comments/{known['id']}", NEEDS, body)["html_url"])
    return str(hub.asked("POST", f"issues/{number}/comments", NEEDS, body)["html_url"])
