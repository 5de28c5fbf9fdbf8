"""Push commits to their upstream branch, never with force."""

from __future__ import annotations

import re

from programs import Done
from repositories.addresses import Address, has
from repositories.failures import UNCERTAIN, UNPUSHED_SUBMODULE, Interrupted, Stopped, git_sentence, without_credentials
from repositories.git import shown
from repositories.looking import State
from repositories.secrets import Scanner

PUSH_SECONDS = 900.0  # a pre-push hook may run tests
# Git's reasons when another push came first. The remote gives the last one for a push at the same moment.
RACED = frozenset({"fetch first", "non-fast-forward", "stale info", "failed to update ref"})
REFUSED = re.compile(r"^!\t[^\t]*\t\[(?P<how>[^\]]+)\](?: \((?P<why>.*)\))?", re.MULTILINE)
SECTION = re.compile(r"^To (?P<url>.*)$", re.MULTILINE)
SHOWN_LINES = 12
AGAIN = "oracle commit-all"


class Refused(Stopped):
    """The remote or the checkout's pre-push hook refused the push. It is certain that nothing arrived."""


def push(state: State, commit: str, scanner: Scanner) -> None:
    """Push the commit to the upstream branch at each of the remote's addresses.

    Raises Refused when no address has the commit; Stopped when some have it, or when that is unknown.
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
        _raise_failure(state, commit, pushed, tuple(_lines(pushed.errors, scanner)))


def _raise_failure(state: State, commit: str, pushed: Done, details: tuple[str, ...]) -> None:
    """Raise the error of a failed push. Returns if all addresses have the commit: the connection broke only then."""
    git = state.git
    arrived = {each: has(git, each, state.remote_branch, commit) for each in state.addresses}
    if all(arrived.values()):
        return
    printed = pushed.output.decode(errors="replace")
    if any(arrived.values()):
        raise Stopped(_partly(arrived, printed), details)
    sentence = git_sentence(pushed.errors, git.path, "Pushing")
    if len(arrived) > 1 and None in arrived.values():
        raise Stopped(sentence, details)
    if refused := REFUSED.search(printed):
        raise Refused(_refusal(state, refused["how"], refused["why"] or ""), details)
    if UNPUSHED_SUBMODULE.search(pushed.errors):
        raise Refused(sentence, details)
    if UNCERTAIN.search(pushed.errors):
        raise Stopped(sentence, details)
    hook = git.folder / git.must("rev-parse", "--git-path", "hooks/pre-push", sheltered=True)
    raise Refused(f"The pre-push hook said no; mend that, then: {AGAIN}" if hook.is_file() else sentence, details)


def _partly(arrived: dict[Address, bool | None], printed: str) -> str:
    """Return the sentence for a push that only some addresses accepted."""
    there = ", ".join(str(each) for each, has_it in arrived.items() if has_it)
    missing = [each for each, has_it in arrived.items() if not has_it]
    reasons = _reasons(printed)
    refused = ", ".join(f"{each} ({reasons.get(each.named_by_git, 'not reached')})" for each in missing)
    return f"Pushed to {there}, but not to {refused}; the commit is kept. Mend that, then: {AGAIN}"


def _reasons(printed: str) -> dict[str, str]:
    """Return each address's reason for its refusal, by the address in git's output."""
    reasons = {}
    for section in SECTION.finditer(printed):
        rest = printed[section.end() :].partition("\nTo ")[0]
        if refused := REFUSED.search(rest):
            reasons[section["url"]] = shown(without_credentials(refused["why"] or "")) or refused["how"]
    return reasons


def _refusal(state: State, how: str, why: str) -> str:
    path = state.git.path
    if why in RACED:
        return f"Somebody else pushed meanwhile; get it first: git -C {path} pull --rebase --autostash"
    reason = shown(without_credentials(why)) or how
    return f"The remote refused the push ({reason}); mend that, then: {AGAIN}"


def _lines(errors: str, scanner: Scanner) -> list[str]:
    """Return the output of local and remote hooks, without git's own summary."""
    lines = [shown(without_credentials(line.rstrip())) for line in errors.splitlines() if line.strip()]
    own = [line for line in lines if not re.match(r"(error: failed to push|hint: |To |fatal: the remote end)", line)]
    return list(scanner.clean(own[-SHOWN_LINES:]))
