"""Failures of one repository: one sentence with the next command, and never the value of a secret."""

from __future__ import annotations

import re

from programs.git import distrusted

UNPUSHED_SUBMODULE = re.compile(r"(not|n't) be found on any remote|Unable to push submodule")
CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class Stopped(Exception):
    """Work on one repository stopped. `details` are lines to show below the sentence."""

    def __init__(self, sentence: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = details


class Interrupted(Stopped):
    """The run was interrupted, or a step took too long."""


# Git's messages of known failures, and our sentences. `{path}` is the checkout. The narrower patterns come first.
KNOWN: tuple[tuple[str, str], ...] = (
    (
        UNPUSHED_SUBMODULE.pattern,
        "A submodule has commits that are not pushed; push it first: git -C {path} submodule foreach git push",
    ),
    (
        r"index\.lock'?: File exists|Unable to create '.*\.lock'",
        "Another git command is at work here, or was killed and left a lock; see: ls {path}/.git/*.lock",
    ),
    (
        r"couldn't find remote ref",
        "The branch is gone from the remote; push it anew: git -C {path} push -u",
    ),
    (
        r"[Rr]epository '?.*'? not found|does not appear to be a git repository|does not exist",
        "The remote repository is not there; see its address: git -C {path} remote -v",
    ),
    (
        r"Permission denied|Authentication failed|could not read (Username|Password)|Host key verification|40[13]\b",
        "The remote does not let you in; load your key or log in, then try: git -C {path} fetch",
    ),
    (
        (
            r"Could not resolve|unable to access|Connection (refused|timed out|reset|closed)|Network is unreachable|"
            r"No route to host|Could not read from remote|hung up|early EOF|RPC failed|unable to connect"
        ),
        "The remote cannot be reached; when it can: oracle commit-all",
    ),
    (
        r"tell me who you are|empty ident|auto-detect email",
        "Git does not know who you are; tell it: git config --global user.email YOU@EXAMPLE.ORG, and user.name",
    ),
    (
        r"failed to sign|signing failed",
        "The commit could not be signed; try: git -C {path} commit --dry-run, and look at your signing key",
    ),
)
# Lines of git and ssh after which it is unknown what arrived. Hooks may print such words, but not at a line's start.
UNCERTAIN = re.compile(
    r"^(fatal: |error: RPC failed|ssh: |kex_exchange|client_loop|Connection (closed|reset|timed out|refused))",
    re.MULTILINE,
)


def git_sentence(said: str, path: str, doing: str) -> str:
    """Return the sentence for git's standard error, `said`. `path` is the checkout, quoted for a shell."""
    if advice := distrusted(said):
        return advice
    for pattern, sentence in KNOWN:
        if re.search(pattern, said):
            return sentence.format(path=path)
    errors = [line.strip() for line in said.splitlines() if re.match(r"\s*(fatal|error):", line)]
    last = (errors or [line.strip() for line in said.splitlines() if line.strip()] or ["git said nothing"])[-1]
    return f"{doing} failed: {without_credentials(last.rstrip('.'))}; see: git -C {path} status"


def without_credentials(text: str) -> str:
    """Return the text without the user names and passwords in its addresses."""
    return CREDENTIALS.sub("***@", text)
