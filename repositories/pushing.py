"""Push commits to their upstream branch, never with force."""

from __future__ import annotations

import re

from errors import First, Fix, Remedy
from programs import Done
from repositories.addresses import Address, has
from repositories.checkout_state import State
from repositories.failures import UNCERTAIN, UNPUSHED_SUBMODULE, Interrupted, Stopped, git_failure, without_credentials
from repositories.git import shown
from repositories.secrets import Scanner

PUSH_SECONDS = 900.0  # a pre-push hook may run tests
# Git's reasons when another push came first. The remote gives the last one for a push at the same moment.
RACED = frozenset({"fetch first", "non-fast-forward", "stale info", "failed to update ref"})
REFUSED = re.compile(r"^!\t[^\t]*\t\[(?P<how>[^\]]+)\](?: \((?P<why>.*)\))?", re.MULTILINE)
SECTION = re.compile(r"^To (?P<url>.*)$", re.MULTILINE)
SHOWN_LINES = 12
RESOLVE = First("resolve that", Remedy.RETRY)


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
        raise Interrupted(
            "The push was interrupted or took too long. The commit stays in the checkout.", Remedy.RETRY
        ) from None
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
        raise Stopped(_partly(arrived, printed), RESOLVE, details=details)
    failure = git_failure(pushed.errors, git.path, "Pushing")
    if len(arrived) > 1 and None in arrived.values():
        raise Stopped.of(failure, details)
    if refused := REFUSED.search(printed):
        raise _refusal(state, refused["how"], refused["why"] or "", details)
    if UNPUSHED_SUBMODULE.search(pushed.errors):
        raise Refused.of(failure, details)
    if UNCERTAIN.search(pushed.errors):
        raise Stopped.of(failure, details)
    hook = git.folder / git.run_checked("rev-parse", "--git-path", "hooks/pre-push", sheltered=True)
    if hook.is_file():
        raise Refused("The pre-push hook refused the push.", RESOLVE, details=details)
    raise Refused.of(failure, details)


def _partly(arrived: dict[Address, bool | None], printed: str) -> str:
    """Return the problem of a push that only some addresses accepted."""
    there = ", ".join(str(each) for each, has_it in arrived.items() if has_it)
    missing = [each for each, has_it in arrived.items() if not has_it]
    reasons = _reasons(printed)
    refused = ", ".join(f"{each} ({reasons.get(each.named_by_git, 'not reached')})" for each in missing)
    return f"Pushed to {there}, but not to {refused}. The commit stays in the checkout."


def _reasons(printed: str) -> dict[str, str]:
    """Return each address's reason for its refusal, by the address in git's output."""
    reasons = {}
    for section in SECTION.finditer(printed):
        rest = printed[section.end() :].partition("\nTo ")[0]
        if refused := REFUSED.search(rest):
            reasons[section["url"]] = shown(without_credentials(refused["why"] or "")) or refused["how"]
    return reasons


def _refusal(state: State, how: str, why: str, details: tuple[str, ...]) -> Refused:
    if why in RACED:
        pull = Fix(f"git -C {state.git.path} pull --rebase --autostash", then=Remedy.RETRY)
        return Refused("Somebody else pushed at the same time.", pull, details=details)
    reason = shown(without_credentials(why)) or how
    return Refused(f"The remote refused the push ({reason}).", RESOLVE, details=details)


def _lines(errors: str, scanner: Scanner) -> list[str]:
    """Return the output of local and remote hooks, without git's own summary."""
    lines = [shown(without_credentials(line.rstrip())) for line in errors.splitlines() if line.strip()]
    own = [line for line in lines if not re.match(r"(error: failed to push|hint: |To |fatal: the remote end)", line)]
    return list(scanner.clean(own[-SHOWN_LINES:]))
