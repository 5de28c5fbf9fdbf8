"""Pushing what was committed. Nothing is ever forced."""

from __future__ import annotations

import re

from programs import Done
from repositories.addresses import Address, has
from repositories.failures import UNCERTAIN, UNPUSHED_SUBMODULE, Interrupted, Stopped, git_sentence, without_credentials
from repositories.git import shown
from repositories.looking import State
from repositories.secrets import Scanner

PUSH_SECONDS = 900.0  # a pre-push hook may run tests
# The last one is the remote's, when another push moves the branch at the very same time.
RACED = frozenset({"fetch first", "non-fast-forward", "stale info", "failed to update ref"})
REFUSED = re.compile(r"^!\t[^\t]*\t\[(?P<how>[^\]]+)\](?: \((?P<why>.*)\))?", re.MULTILINE)
SECTION = re.compile(r"^To (?P<url>.*)$", re.MULTILINE)
SHOWN_LINES = 12
AGAIN = "oracle commit-all"


class Refused(Stopped):
    """The remote, or the checkout's own pre-push hook, said no: for certain nothing of it has arrived."""


def push(state: State, commit: str, scanner: Scanner) -> None:
    """Pushes the commit to the upstream branch, at each of the remote's addresses.

    Raises Refused when none of them has it, Stopped where some have it or nobody knows whether it arrived.
    """
    git = state.git
    options = ("--porcelain", "--no-force", "--no-force-with-lease", "--recurse-submodules=check")
    target = f"{commit}:{state.remote_branch}"
    try:
        pushed = git.run("push", *options, "--", state.remote, target, seconds=PUSH_SECONDS)
    except Interrupted:
        if all(has(git, each, state.remote_branch, commit) for each in state.addresses):
            return
        sentence = "The push was interrupted, or took too long; the commit is kept, and is pushed by: oracle commit-all"
        raise Interrupted(sentence) from None
    if pushed.status != 0:
        _judge(state, commit, pushed, tuple(_lines(pushed.errors, scanner)))


def _judge(state: State, commit: str, pushed: Done, said: tuple[str, ...]) -> None:
    """Says what a push that failed has done: the connection may break after all was done."""
    git = state.git
    arrived = {each: has(git, each, state.remote_branch, commit) for each in state.addresses}
    if all(arrived.values()):
        return
    printed = pushed.output.decode(errors="replace")
    if any(arrived.values()):
        raise Stopped(_partly(arrived, printed), said)
    sentence = git_sentence(pushed.errors, git.path, "Pushing")
    if len(arrived) > 1 and None in arrived.values():
        raise Stopped(sentence, said)
    if refused := REFUSED.search(printed):
        raise Refused(_refusal(state, refused["how"], refused["why"] or ""), said)
    if UNPUSHED_SUBMODULE.search(pushed.errors):
        raise Refused(sentence, said)
    if UNCERTAIN.search(pushed.errors):
        raise Stopped(sentence, said)
    hook = git.folder / git.must("rev-parse", "--git-path", "hooks/pre-push", sheltered=True)
    raise Refused(f"The pre-push hook said no; mend that, then: {AGAIN}" if hook.is_file() else sentence, said)


def _partly(arrived: dict[Address, bool | None], printed: str) -> str:
    """The sentence for a push that some addresses took and others did not."""
    there = ", ".join(str(each) for each, has_it in arrived.items() if has_it)
    missing = [each for each, has_it in arrived.items() if not has_it]
    reasons = _reasons(printed)
    told = ", ".join(f"{each} ({reasons.get(each.named_by_git, 'not reached')})" for each in missing)
    return f"Pushed to {there}, but not to {told}; the commit is kept. Mend that, then: {AGAIN}"


def _reasons(printed: str) -> dict[str, str]:
    """Why each address refused, by its name in git's own output."""
    found = {}
    for section in SECTION.finditer(printed):
        rest = printed[section.end() :].partition("\nTo ")[0]
        if refused := REFUSED.search(rest):
            found[section["url"]] = shown(without_credentials(refused["why"] or "")) or refused["how"]
    return found


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
