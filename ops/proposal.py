"""A changed file as a pull request: one commit on a branch of ours, made anew each time."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from ops.failures import Failure
from ops.github import GitHub

NEEDS = "contents: write, pull-requests: write"


@dataclass(frozen=True, kw_only=True)
class Proposal:
    base: str
    """The branch that it is for."""
    branch: str
    path: str
    before: bytes
    """The file as it was when the change was made to it."""
    content: str
    title: str
    text: str


def propose(hub: GitHub, wanted: Proposal) -> str:
    """Opens the pull request, or gives the open one this content; its address. Raises Failure, also where the base has
    another file by now.
    """
    at = hub.asked("GET", f"git/ref/heads/{wanted.base}", NEEDS)
    there = hub.asked("GET", f"contents/{wanted.path}?ref={wanted.base}", NEEDS)
    if at is None or there is None or base64.b64decode(there["content"]) != wanted.before:
        raise Failure(f"{wanted.path} of {wanted.base} is not the one that was changed here; run the workflow again")
    _commit(hub, wanted, str(at["object"]["sha"]))
    body = {"title": wanted.title, "body": wanted.text}
    for each in hub.all(f"pulls?state=open&base={wanted.base}&head={hub.owner}:{wanted.branch}", NEEDS):
        return str(hub.asked("PATCH", f"pulls/{each['number']}", NEEDS, body)["html_url"])
    return str(hub.asked("POST", "pulls", NEEDS, {**body, "head": wanted.branch, "base": wanted.base})["html_url"])


def _commit(hub: GitHub, wanted: Proposal, parent: str) -> None:
    """The branch is the base and one commit. It moves in one step: an open pull request without a difference ends."""
    file = {"path": wanted.path, "mode": "100644", "type": "blob", "content": wanted.content}
    tree = hub.asked("POST", "git/trees", NEEDS, {"base_tree": parent, "tree": [file]})["sha"]
    commit = {"message": wanted.title, "tree": tree, "parents": [parent]}
    made = hub.asked("POST", "git/commits", NEEDS, commit)["sha"]
    if hub.asked("GET", f"git/ref/heads/{wanted.branch}", NEEDS) is None:
        hub.asked("POST", "git/refs", NEEDS, {"ref": f"refs/heads/{wanted.branch}", "sha": made})
    else:
        hub.asked("PATCH", f"git/refs/heads/{wanted.branch}", NEEDS, {"sha": made, "force": True})
