"""Pushing what was committed. Nothing is ever forced."""

from __future__ import annotations

import re

from repositories.failures import UNCERTAIN, UNPUSHED_SUBMODULE, Interrupted, Stopped, git_sentence, without_credentials
from repositories.git import Git, shown
from repositories.looking import REMOTE_SECONDS, State
from repositories.secrets import Scanner

PUSH_SECONDS = 900.0  # a pre-push hook may run tests
# The last one is the remote's, when another push moves the branch at the very same time.
RACED = frozenset({"fetch first", "non-fast-forward", "stale info", "failed to update ref"})
REFUSED = re.compile(r"^!\t[^\t]*\t\[(?P<how>[^\]]+)\](?: \((?P<why>.*)\))?", re.MULTILINE)
SHOWN_LINES = 12
AGAIN = "oracle commit-all"


class Refused(Stopped):
    """The remote, or the checkout's own pre-push hook, said no: for certain nothing of it has arrived."""


def push(state: State, commit: str, scanner: Scanner) -> None:
    """Pushes the commit to the upstream branch. Raises Refused, or Stopped where nobody knows whether it arrived."""
    git = state.git
    options = ("--porcelain", "--no-force", "--no-force-with-lease", "--recurse-submodules=check")
    target = f"{commit}:{state.remote_branch}"
    try:
        pushed = git.run("push", *options, state.remote, target, seconds=PUSH_SECONDS)
    except Interrupted:
        sentence = "The push was interrupted, or took too long; the commit is kept, and is pushed by: oracle commit-all"
        raise Interrupted(sentence) from None
    if pushed.status == 0 or arrived(git, state, commit):
        return
    said = tuple(_lines(pushed.errors, scanner))
    if refused := REFUSED.search(pushed.output.decode(errors="replace")):
        raise Refused(_refusal(state, refused["how"], refused["why"] or ""), said)
    sentence = git_sentence(pushed.errors, git.path, "Pushing")
    if UNPUSHED_SUBMODULE.search(pushed.errors):
        raise Refused(sentence, said)
    if UNCERTAIN.search(pushed.errors):
        raise Stopped(sentence, said)
    hook = git.folder / git.must("rev-parse", "--git-path", "hooks/pre-push", sheltered=True)
    raise Refused(f"The pre-push hook said no; mend that, then: {AGAIN}" if hook.is_file() else sentence, said)


def arrived(git: Git, state: State, commit: str) -> bool:
    """Whether the remote's branch is at the commit, as when the connection broke after all was done."""
    try:
        asked = git.run("ls-remote", "--quiet", state.remote, state.remote_branch, seconds=REMOTE_SECONDS)
    except Interrupted:
        return False
    return asked.status == 0 and asked.text.split("\t")[0] == commit


def _refusal(state: State, how: str, why: str) -> str:
    path = state.git.path
    if why in RACED:
        return f"Somebody else pushed meanwhile; get it first: git -C {path} pull --rebase --autostash"
    reason = shown(without_credentials(why)) or how
    return f"The remote refused the push ({reason}); mend that, then: {AGAIN}"


def _lines(errors: str, scanner: Scanner) -> list[str]:
    """What hooks printed, here or there, without git's own summary of it."""
    lines = [shown(without_credentials(line.rstrip())) for line in errors.splitlines() if line.strip()]
    own = [line for line in lines if not re.match(r"(error: failed to push|hint: |To |fatal: the remote end)", line)]
    return list(scanner.clean(own[-SHOWN_LINES:]))
