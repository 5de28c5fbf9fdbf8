"""Read the state of a checkout: its unpushed commits and changes, and the reasons not to commit or push them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from programs import quoted
from repositories import additions, messages
from repositories.addresses import REMOTE_SECONDS, Address, push_addresses, tip
from repositories.configuration import Repository
from repositories.failures import Stopped, git_sentence
from repositories.git import Git, shown
from repositories.processes import Processes
from repositories.secrets import PRIVATE_KEY, Finding, Scanner, key_in
from repositories.staging import Staged, refuse_large, staging

NO_COMMIT = "(initial)"
UNFINISHED = {
    "MERGE_HEAD": ("merge", "git -C {path} merge --continue (or --abort)"),
    "rebase-merge": ("rebase", "git -C {path} rebase --continue (or --abort)"),
    "rebase-apply": ("rebase", "git -C {path} rebase --continue (or --abort)"),
    "CHERRY_PICK_HEAD": ("cherry-pick", "git -C {path} cherry-pick --continue (or --abort)"),
    "REVERT_HEAD": ("revert", "git -C {path} revert --continue (or --abort)"),
    "sequencer": ("cherry-pick", "git -C {path} cherry-pick --continue (or --abort)"),
    "BISECT_LOG": ("bisect", "git -C {path} bisect reset"),
}


@dataclass
class State:
    """The state of one repository.

    `unpushed` and `behind` count commits; None is unknown. `stopped` is the reason why the repository cannot be
    committed or pushed; empty if it can. `upstream` is the remote's branch, as a ref or a commit in the checkout.
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
    stopped: str = ""
    details: tuple[str, ...] = ()

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
        state.stopped, state.details = stopped.sentence, stopped.details
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
        raise Stopped(f"There is no checkout; clone it: git clone URL {path}")
    top = git.run("rev-parse", "--show-toplevel")
    if top.status != 0 and "not a git repository" not in top.errors:
        raise Stopped(git_sentence(top.errors, path, "Looking"))
    if top.status != 0 or Path(top.names).resolve() != git.folder.resolve():
        raise Stopped(f"The folder is no git repository of its own; clone it there: git clone URL {path}")
    status = git.must(
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
    raise Stopped(
        f"The branch {branch} has no commit yet; begin with an empty one, then again: {add}git -C {git.path} commit "
        f"--allow-empty -m Begin && git -C {git.path} push -u {remote or 'origin'} {branch}"
    )


def refuse_unfinished(git: Git, changed: list[str]) -> None:
    """Raise Stopped during a merge or the like, on conflicts, when git's index is locked, and on a detached HEAD."""
    for name, (what, command) in UNFINISHED.items():
        if (git.directory / name).exists():
            raise Stopped(f"A {what} is in progress; finish it: {command.format(path=git.path)}")
    if changed and git.must("ls-files", "--unmerged", "-z"):
        raise Stopped(f"There are conflicts; settle them, then: git -C {git.path} add FILE")
    if (git.directory / "index.lock").exists():
        raise Stopped(
            "Another git command is at work here, or was killed; if none runs: rm " + shown(str(git.index)) + ".lock"
        )
    if git.run("symbolic-ref", "--quiet", "HEAD").status != 0:
        raise Stopped(f"HEAD is detached; go to a branch: git -C {git.path} switch BRANCH")


def _find_upstream(state: State) -> None:
    git, branch = state.git, state.branch
    fields = "%(upstream:remotename)%00%(upstream:remoteref)%00%(upstream)%00%(push:remotename)"
    values = git.must("for-each-ref", f"--format={fields}", f"refs/heads/{branch}").split("\0")
    remote, ref, upstream, push_remote = (values + [""] * 4)[:4]
    if not remote or not ref:  # for example a clone of a single other branch, which has no copy of this one's upstream
        remote, ref = (git.run("config", "--get", f"branch.{branch}.{key}").names for key in ("remote", "merge"))
    if not remote or not ref or remote == ".":
        raise Stopped(f"The branch {branch} has no upstream; give it one: git -C {git.path} push -u origin {branch}")
    if push_remote not in {"", remote}:
        raise Stopped(f"{branch} is pushed to {push_remote} and follows {remote}; push by hand: git -C {git.path} push")
    if ref != f"refs/heads/{branch}" and git.run("config", "push.default").text not in {"upstream", "tracking"}:
        raise Stopped(
            f"{branch} follows {ref.removeprefix('refs/heads/')}, a branch of another name; "
            f"give it its own: git -C {git.path} push -u {remote} {branch}"
        )
    state.remote, state.remote_branch, state.upstream = remote, ref, upstream
    state.addresses = push_addresses(git, remote)


def _compare_with_remote(state: State) -> None:
    git = state.git
    _fetch(state)
    counted = git.must("rev-list", "--left-right", "--count", f"HEAD...{state.upstream}", doing="Comparing")
    state.behind = int(counted.split()[1])
    bases = [state.upstream]
    if state.addresses != (Address(state.remote),):
        bases = [_tip_at(state, each) for each in state.addresses]
    missing = [git.must("rev-list", f"{base}..HEAD", "--", doing="Comparing").split() for base in bases]
    state.unpushed = max(len(each) for each in missing)
    state.outgoing = tuple(dict.fromkeys(commit for each in missing for commit in each))
    if state.behind and (state.unpushed or state.changed):
        raise Stopped(
            f"The remote has {state.behind} commit{'s' if state.behind > 1 else ''} that this checkout lacks; "
            f"get {'them' if state.behind > 1 else 'it'} first: git -C {git.path} pull --rebase --autostash"
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
        raise Stopped(git_sentence(fetched.errors, git.path, "Asking the remote"))


def _tip_at(state: State, address: Address) -> str:
    """Return the branch's commit at one of several addresses. Raises Stopped when a push there is impossible."""
    git, branch = state.git, state.remote_branch.removeprefix("refs/heads/")
    commit = tip(git, address, state.remote_branch)
    if not commit:
        raise Stopped(f"{address} has no branch {branch}; push it there first: git -C {git.path} push {state.remote}")
    if not _is_here(git, commit) or git.run("merge-base", "--is-ancestor", commit, "HEAD").status != 0:
        raise Stopped(
            f"{address} has commits that this checkout lacks; get them first: "
            f"git -C {git.path} pull --rebase --autostash {address} {branch}"
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
    if pushed:
        sentence = f"A commit that is not pushed yet holds a secret: {place}; take it out: git -C {git.path} rebase -i"
    else:
        sentence = f"A secret would be committed: {place}; take it out, or ignore the file in .gitignore"
    raise Stopped(sentence, tuple(str(each) for each in findings[1:10]))
