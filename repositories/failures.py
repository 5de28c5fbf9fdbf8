"""Failures of one repository: a problem and the git command that fixes it, and never the value of a secret."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self

from errors import First, Fix, Help, Remedy, UserError
from programs.git import distrusted

UNPUSHED_SUBMODULE = re.compile(r"(not|n't) be found on any remote|Unable to push submodule")
CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
CHECKOUT = "<checkout>"
"""Stands for the checkout's path in a command, quoted for a shell."""


class Stopped(UserError):
    """Work on one repository stopped. `details` are lines to show below the problem."""

    def __init__(
        self, problem: str, *helps: Help, cause: BaseException | str = "", details: tuple[str, ...] = ()
    ) -> None:
        super().__init__(problem, *helps, cause=cause)
        self.details = details

    @classmethod
    def of(cls, error: UserError, details: tuple[str, ...]) -> Self:
        """Return the same error as one of this class, with these details."""
        return cls(error.problem, *error.helps, cause=error.cause, details=details)


class Interrupted(Stopped):
    """The run was interrupted, or a step took too long."""


@dataclass(frozen=True)
class KnownFailure:
    """A failure of git: the pattern of its message, and the problem and the fix in our words."""

    pattern: str
    problem: str
    help: Fix | First


KNOWN = (
    KnownFailure(
        UNPUSHED_SUBMODULE.pattern,
        "A submodule has commits that are not pushed.",
        Fix(f"git -C {CHECKOUT} submodule foreach git push", "to push them", then=Remedy.RETRY),
    ),
    KnownFailure(
        r"index\.lock'?: File exists|Unable to create '.*\.lock'",
        "Another git command is running here, or was killed and left a lock.",
        Fix(f"ls {CHECKOUT}/.git/*.lock", "to see the lock"),
    ),
    KnownFailure(
        r"couldn't find remote ref",
        "The remote does not have the branch any more.",
        Fix(f"git -C {CHECKOUT} push -u", "to push it again"),
    ),
    KnownFailure(
        r"[Rr]epository '?.*'? not found|does not appear to be a git repository|does not exist",
        "The remote repository does not exist.",
        Fix(f"git -C {CHECKOUT} remote -v", "to see its address"),
    ),
    KnownFailure(
        r"Permission denied|Authentication failed|could not read (Username|Password)|Host key verification|40[13]\b",
        "The remote refused access.",
        Fix(f"git -C {CHECKOUT} fetch", "to try it", first="load your SSH key or log in"),
    ),
    KnownFailure(
        (
            r"Could not resolve|unable to access|Connection (refused|timed out|reset|closed)|Network is unreachable|"
            r"No route to host|Could not read from remote|hung up|early EOF|RPC failed|unable to connect"
        ),
        "The remote cannot be reached.",
        First("wait until it can be reached", Remedy.RETRY),
    ),
    KnownFailure(
        r"tell me who you are|empty ident|auto-detect email",
        "Git does not know your name and your e-mail address.",
        Fix("git config --global user.email YOU@EXAMPLE.ORG", then="git config --global user.name NAME"),
    ),
    KnownFailure(
        r"failed to sign|signing failed",
        "The commit could not be signed.",
        Fix(f"git -C {CHECKOUT} config --get user.signingKey", "to see the key"),
    ),
)
"""Git's known failures; the first that matches counts."""
# Lines of git and ssh after which it is unknown what arrived. Hooks may print such words, but not at a line's start.
UNCERTAIN = re.compile(
    r"^(fatal: |error: RPC failed|ssh: |kex_exchange|client_loop|Connection (closed|reset|timed out|refused))",
    re.MULTILINE,
)


def git_failure(said: str, path: str, doing: str) -> Stopped:
    """Return the error for git's standard error, `said`. `path` is the checkout, quoted for a shell."""
    if folder := distrusted(said):
        trust = Fix(f"git config --global --add safe.directory {folder}", "if you trust it")
        return Stopped("The checkout belongs to another user.", trust)
    for known in KNOWN:
        if re.search(known.pattern, said):
            return Stopped(known.problem, _at(path, known.help))
    errors = [line.strip() for line in said.splitlines() if re.match(r"\s*(fatal|error):", line)]
    last = (errors or [line.strip() for line in said.splitlines() if line.strip()] or ["git printed nothing"])[-1]
    see = Fix(f"git -C {path} status", "to see the state of the checkout")
    return Stopped(f"{doing} failed.", see, cause=without_credentials(last.rstrip(".")))


def _at(path: str, help: Fix | First) -> Fix | First:
    return replace(help, command=help.command.replace(CHECKOUT, path)) if isinstance(help, Fix) else help


def without_credentials(text: str) -> str:
    """Return the text without the user names and passwords in its addresses."""
    return CREDENTIALS.sub("***@", text)
