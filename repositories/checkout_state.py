"""Read the state of a checkout: its unpushed commits and changes, and the reasons not to commit or push them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from errors import First, Fix, Remedy
from programs import quoted
from repositories import additions, messages
from repositories.addresses import REMOTE_SECONDS, Address, push_addresses, tip
from repositories.configuration import Repository
from repositories.failures import Stopped, git_failure
from repositories.git import Git, shown
from repositories.processes import Processes
from repositories.secrets import PRIVATE_KEY, Finding, Scanner, key_in
from repositories.staging import Staged, refuse_large, staging

NO_COMMIT = "(initial)"
ENDINGS = ("--continue", "--abort")
UNFINISHED = {
    "MERGE_HEAD": ("merge", ENDINGS),
    "rebase-merge": ("rebase", ENDINGS),
    "rebase-apply": ("rebase", ENDINGS),
    "CHERRY_PICK_HEAD": ("cherry-pick", ENDINGS),
    "REVERT_HEAD": ("revert", ENDINGS),
    "sequencer": ("cherry-pick", ENDINGS),
    "BISECT_LOG": ("bisect", ("reset",)),
}
"""Files in the git directory during an unfinished git command: the command, and the words that end it."""


@dataclass
class State:
    """The state of one repository.

    `unpushed` and `behind` count commits; None is unknown. `stopped` is the reason why the repository cannot be
    committed or pushed; None if it can. `upstream` is the remote's branch, as a ref or a commit in the checkout.
    `outgoing` are the commits that at least one push address lacks. `message` is the generated message of the commit to
    be made, and `scanned` the tree that was scanned for secrets; both are empty if there is nothing to commit.
    """

    repository: Repository
    git: Git
    there: bool = True
    branch: str = ""
    head: str = ""
    changed: list[str] = field(default_factory=list)
    remote: str = ""
    remote_branch: str = ""
    upstream: str = ""
    addresses: tuple[Address, ...] = ()
    outgoing: tuple[str, ...] = ()
    unpushed: int | None = None
    behind: int | None = None
    message: str = ""
    scanned: str = ""
    stopped: Stopped | None = None

    @property
    def to_commit(self) -> bool:
        return bool(self.message) and not self.stopped

    @property
    def to_push(self) -> bool:
        return not self.stopped and (bool(self.unpushed) or self.to_commit)


def look(repository: Repository, project: Path, processes: Processes, scanner: Scanner) -> State:
    """Read the state of the checkout and of its remote. Changes only the local copy of the remote's branch."""
    state = State(repository, checkout(repository, project, processes))
    try:
        _read_state(state, scanner)
    except Stopped as stopped:
        state.stopped = stopped
    return state


def checkout(repository: Repository, project: Path, processes: Processes) -> Git:
    """Return git for the repository's checkout."""
    return Git(repository.folder(project), quoted(repository.path), processes)


def _read_state(state: State, scanner: Scanner) -> None:
    find(state)
    _refuse_no_commit(state)
    refuse_unfinished(state.git, state.changed)
    _find_upstream(state)
    _compare_with_remote(state)
    if state.outgoing:
        _refuse_secrets_in(state.git, scanner, additions.outgoing(state.git, state.outgoing), {}, pushed=True)
    if state.changed:
        refuse_large(state.git, state.changed)
        with staging(state.git, quarantined=True) as staged:
            _scan_changes(state, staged, scanner)


def _scan_changes(state: State, staged: Staged, scanner: Scanner) -> None:
    """Scan the changes for secrets, and make the message of the commit. Does nothing if there are no changes."""
    tree = staged.add_all()
    changes = staged.changes(tree)
    if not changes:
        return
    refuse_secrets(staged, tree, scanner)
    state.message, state.scanned = messages.made_from(changes), tree


def find(state: State) -> None:
    """Set branch, head and changed files of the state. Raises Stopped if the checkout is missing or no repository."""
    git, path = state.git, state.git.path
    state.there = git.folder.is_dir()
    if not state.there:
        raise Stopped("The checkout does not exist.", Fix(f"git clone URL {path}"))
    top = git.run("rev-parse", "--show-toplevel")
    if top.status != 0 and "not a git repository" not in top.errors:
        raise git_failure(top.errors, path, "Reading the checkout")
    if top.status != 0 or Path(top.names).resolve() != git.folder.resolve():
        raise Stopped("The folder is not the top of a git repository.", Fix(f"git clone URL {path}"))
    status = git.run_checked(
        "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--ignore-submodules=dirty"
    )
    _parse_status(state, status.split("\0"))


def _parse_status(state: State, entries: list[str]) -> None:
    state.changed, state.branch = [], ""
    rest = iter(entries)
    for entry in rest:
        kind, _, fields = entry.partition(" ")
        if entry.startswith("# branch.oid "):
            state.head = entry.removeprefix("# branch.oid ")
        elif entry.startswith("# branch.head "):
            head = entry.removeprefix("# branch.head ")
            state.branch = "" if head == "(detached)" else head
        elif kind in {"1", "2", "u"}:
            state.changed.append(fields.split(" ", {"1": 7, "2": 8, "u": 9}[kind])[-1])
            if kind == "2":
                next(rest)  # the former name
        elif kind == "?":
            state.changed.append(fields)


def _refuse_no_commit(state: State) -> None:
    if state.head != NO_COMMIT:
        return
    git, branch = state.git, state.branch
    remote = next(iter(git.run("remote").text.splitlines()), "")
    add = "" if remote else f"git -C {git.path} remote add origin URL && "
    commit = f"git -C {git.path} commit --allow-empty -m Begin"
    push = f"git -C {git.path} push -u {remote or 'origin'} {branch}"
    raise Stopped(f"The branch {branch} has no commit yet.", Fix(f"{add}{commit} && {push}", then=Remedy.RETRY))


def refuse_unfinished(git: Git, changed: list[str]) -> None:
    """Raise Stopped during a merge or the like, on conflicts, when git's index is locked, and on a detached HEAD."""
    for name, (command, endings) in UNFINISHED.items():
        if (git.directory / name).exists():
            fixes = (Fix(f"git -C {git.path} {command} {ending}") for ending in endings)
            raise Stopped(f"A {command} is in progress.", *fixes)
    if changed and git.run_checked("ls-files", "--unmerged", "-z"):
        raise Stopped(
            "There are conflicts.", Fix(f"git -C {git.path} add FILE", first="resolve them", then=Remedy.RETRY)
        )
    if (git.directory / "index.lock").exists():
        raise Stopped(
            "Another git command is running here, or was killed and left a lock.",
            First("wait for its end", Remedy.RETRY),
            Fix(f"rm {shown(str(git.index))}.lock", "if none is running"),
        )
    if git.run("symbolic-ref", "--quiet", "HEAD").status != 0:
        raise Stopped("HEAD is detached.", Fix(f"git -C {git.path} switch BRANCH"))


def _find_upstream(state: State) -> None:
    git, branch = state.git, state.branch
    fields = "%(upstream:remotename)%00%(upstream:remoteref)%00%(upstream)%00%(push:remotename)"
    values = git.run_checked("for-each-ref", f"--format={fields}", f"refs/heads/{branch}").split("\0")
    remote, ref, upstream, push_remote = (values + [""] * 4)[:4]
    if not remote or not ref:  # for example a clone of a single other branch, which has no copy of this one's upstream
        remote, ref = (git.run("config", "--get", f"branch.{branch}.{key}").names for key in ("remote", "merge"))
    if not remote or not ref or remote == ".":
        raise Stopped(f"The branch {branch} has no upstream.", Fix(f"git -C {git.path} push -u origin {branch}"))
    if push_remote not in {"", remote}:
        raise Stopped(
            f"The branch {branch} is pushed to {push_remote} and follows {remote}.",
            Fix(f"git -C {git.path} push", "to push it by hand"),
        )
    if ref != f"refs/heads/{branch}" and git.run("config", "push.default").text not in {"upstream", "tracking"}:
        raise Stopped(
            f"The branch {branch} follows {ref.removeprefix('refs/heads/')}, a branch of another name.",
            Fix(f"git -C {git.path} push -u {remote} {branch}", "to give it one of its own name"),
        )
    state.remote, state.remote_branch, state.upstream = remote, ref, upstream
    state.addresses = push_addresses(git, remote)


def _compare_with_remote(state: State) -> None:
    git = state.git
    _fetch(state)
    counted = git.run_checked("rev-list", "--left-right", "--count", f"HEAD...{state.upstream}", doing="Comparing")
    state.behind = int(counted.split()[1])
    bases = [state.upstream]
    if state.addresses != (Address(state.remote),):
        bases = [_tip_at(state, each) for each in state.addresses]
    missing = [git.run_checked("rev-list", f"{base}..HEAD", "--", doing="Comparing").split() for base in bases]
    state.unpushed = max(len(each) for each in missing)
    state.outgoing = tuple(dict.fromkeys(commit for each in missing for commit in each))
    if state.behind and (state.unpushed or state.changed):
        raise Stopped(
            f"The remote has {state.behind} commit{'s' if state.behind > 1 else ''} that this checkout does not have.",
            Fix(f"git -C {git.path} pull --rebase --autostash", then=Remedy.RETRY),
        )


def _fetch(state: State) -> None:
    """Fetch the remote's branch. If the checkout has no copy of it, `upstream` becomes its commit."""
    git, ref = state.git, state.remote_branch
    if not state.upstream:
        state.upstream = tip(git, Address(state.remote), ref)
        if state.upstream and _is_here(git, state.upstream):
            return
    options = ("--quiet", "--no-tags", "--no-prune", "--no-recurse-submodules", "--no-auto-gc", "--no-write-fetch-head")
    fetched = git.run("fetch", *options, "--", state.remote, ref, seconds=REMOTE_SECONDS)
    if fetched.status != 0:
        raise git_failure(fetched.errors, git.path, "Asking the remote")


def _tip_at(state: State, address: Address) -> str:
    """Return the branch's commit at one of several addresses. Raises Stopped when a push there is impossible."""
    git, branch = state.git, state.remote_branch.removeprefix("refs/heads/")
    commit = tip(git, address, state.remote_branch)
    if not commit:
        raise Stopped(
            f"{address} has no branch {branch}.", Fix(f"git -C {git.path} push {state.remote}", then=Remedy.RETRY)
        )
    if not _is_here(git, commit) or git.run("merge-base", "--is-ancestor", commit, "HEAD").status != 0:
        raise Stopped(
            f"{address} has commits that this checkout does not have.",
            Fix(f"git -C {git.path} pull --rebase --autostash {address} {branch}", then=Remedy.RETRY),
        )
    return commit


def _is_here(git: Git, commit: str) -> bool:
    return git.run("cat-file", "-e", f"{commit}^{{commit}}").status == 0


def refuse_secrets(staged: Staged, tree: str, scanner: Scanner) -> None:
    """Raise Stopped when the tree would add a secret to HEAD. The text has places and kinds, never values."""
    added = additions.staged(staged.git, tree, staged.extra)
    _refuse_secrets_in(staged.git, scanner, added, staged.extra, pushed=False)


def _refuse_secrets_in(
    git: Git, scanner: Scanner, added: list[additions.Addition], extra: dict[str, str], pushed: bool
) -> None:
    findings: list[Finding] = []
    for each in added:
        opened, content = additions.opened(git, each, extra) if each.blob else (each, b"")
        line_findings = list(scanner.findings([opened]))
        findings += line_findings or ([Finding(each.path, 0, PRIVATE_KEY)] if key_in(content) else [])
    if not findings:
        return
    more = f" and {len(findings) - 1} more" if len(findings) > 1 else ""
    place = f"{findings[0]}{more}"
    details = tuple(str(each) for each in findings[1:10])
    if pushed:
        edit = Fix(f"git -C {git.path} rebase -i", "to remove it from the commit")
        raise Stopped(f"A commit that is not pushed yet contains a secret: {place}.", edit, details=details)
    remove, ignore = First("remove it", Remedy.RETRY), First("add the file to .gitignore", Remedy.RETRY)
    raise Stopped(f"A secret would be committed: {place}.", remove, ignore, details=details)
