"""A changed file as a pull request: one commit on a branch of ours, made anew each time."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from cli.github.api import GitHub
from cli.ui.errors import CommandError

NEEDS = "contents: write, pull-requests: write"


@dataclass(frozen=True, kw_only=True)
class Proposal:
    base: str
    """The branch that it is for."""
    branch: str
    path: str
    change: Callable[[str], str]
    """Makes the file's text another one; the text is the base's, whatever was checked out here."""
    title: str
    text: str


def propose(hub: GitHub, wanted: Proposal) -> str | None:
    """Opens the pull request, or gives the open one this change; its address, None where nothing would change. Raises
    CommandError.
    """
    at = hub.asked("GET", f"git/ref/heads/{wanted.base}", NEEDS)
    there = hub.asked("GET", f"contents/{wanted.path}?ref={wanted.base}", NEEDS)
    if at is None or there is None:
        raise CommandError(
            f"GitHub has no {wanted.path} on {wanted.base}; run the workflow from the branch that has it"
        )
    before = base64.b64decode(there["content"]).decode()
    content = wanted.change(before)
    if content == before:
        return None
    _commit(hub, wanted, content, str(at["object"]["sha"]))
    body = {"title": wanted.title, "body": wanted.text}
    for each in hub.all(f"pulls?state=open&base={wanted.base}&head={hub.owner}:{wanted.branch}", NEEDS):
        return str(hub.asked("PATCH", f"pulls/{each['number']}", NEEDS, body)["html_url"])
    return str(hub.asked("POST", "pulls", NEEDS, {**body, "head": wanted.branch, "base": wanted.base})["html_url"])


def _commit(hub: GitHub, wanted: Proposal, content: str, parent: str) -> None:
    """The branch is the base and one commit. It moves in one step: an open pull request without a difference ends."""
    file = {"path": wanted.path, "mode": "100644", "type": "blob", "content": content}
    tree = hub.asked("POST", "git/trees", NEEDS, {"base_tree": parent, "tree": [file]})["sha"]
    commit = {"message": wanted.title, "tree": tree, "parents": [parent]}
    made = hub.asked("POST", "git/commits", NEEDS, commit)["sha"]
    if hub.asked("GET", f"git/ref/heads/{wanted.branch}", NEEDS) is None:
        hub.asked("POST", "git/refs", NEEDS, {"ref": f"refs/heads/{wanted.branch}", "sha": made})
    else:
        hub.asked("PATCH", f"git/refs/heads/{wanted.branch}", NEEDS, {"sha": made, "force": True})
