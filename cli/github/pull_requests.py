"""Our pull requests: one changed file, one commit on a branch of ours, replaced each time."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from cli.github.api import GitHub
from cli.ui.errors import CommandError
from errors import First

NEEDS = "contents: write, pull-requests: write"


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A change of one file, and the pull request for it."""

    base: str
    """The target branch."""
    branch: str
    path: str
    change: Callable[[str], str]
    """Return the file's new text from its text on the base branch, which may differ from the local checkout."""
    title: str
    text: str


def propose(hub: GitHub, proposal: Proposal) -> str | None:
    """Open the pull request or update the open one, and return its address. None if nothing would change.

    Raises CommandError.
    """
    ref = hub.asked("GET", f"git/ref/heads/{proposal.base}", NEEDS)
    file = hub.asked("GET", f"contents/{proposal.path}?ref={proposal.base}", NEEDS)
    if ref is None or file is None:
        raise CommandError(
            f"GitHub has no {proposal.path} on the branch {proposal.base}.",
            First("run the workflow from the branch that has it"),
        )
    before = base64.b64decode(file["content"]).decode()
    content = proposal.change(before)
    if content == before:
        return None
    _commit(hub, proposal, content, str(ref["object"]["sha"]))
    body = {"title": proposal.title, "body": proposal.text}
    for each in hub.all(f"pulls?state=open&base={proposal.base}&head={hub.owner}:{proposal.branch}", NEEDS):
        return str(hub.asked("PATCH", f"pulls/{each['number']}", NEEDS, body)["html_url"])
    return str(hub.asked("POST", "pulls", NEEDS, {**body, "head": proposal.branch, "base": proposal.base})["html_url"])


def _commit(hub: GitHub, proposal: Proposal, content: str, parent: str) -> None:
    """Set the branch to the base and one commit. It moves in one step: GitHub closes a pull request without changes."""
    file = {"path": proposal.path, "mode": "100644", "type": "blob", "content": content}
    tree = hub.asked("POST", "git/trees", NEEDS, {"base_tree": parent, "tree": [file]})["sha"]
    commit = {"message": proposal.title, "tree": tree, "parents": [parent]}
    sha = hub.asked("POST", "git/commits", NEEDS, commit)["sha"]
    if hub.asked("GET", f"git/ref/heads/{proposal.branch}", NEEDS) is None:
        hub.asked("POST", "git/refs", NEEDS, {"ref": f"refs/heads/{proposal.branch}", "sha": sha})
    else:
        hub.asked("PATCH", f"git/refs/heads/{proposal.branch}", NEEDS, {"sha": sha, "force": True})
