"""A commit of everything that changed, made so that a failure at any step leaves the checkout as it was.

The commit object is made beside the checkout's index, hooks included. Only then the index is exchanged and after it
the branch moves, both in an instant and only if nobody else has touched them. Killed between the two, the checkout has
its changes staged; killed before, it is as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

from repositories import messages
from repositories.additions import Addition
from repositories.failures import Stopped
from repositories.git import Git
from repositories.hooks import Hooks
from repositories.looking import State, find, refuse_secrets, refuse_unfinished
from repositories.secrets import Scanner
from repositories.staging import Index, IndexLock, Staged, entries, refuse_large


@dataclass(frozen=True)
class Commit:
    """A commit that was made on top of `parent`; `before` is the index as it was."""

    name: str
    parent: str
    branch: str
    subject: str
    before: Index | None


def commit(state: State, staged: Staged, message: str, scanner: Scanner) -> Commit | None:
    """Commits all changes of the checkout; None when there are none any more. Raises Stopped, all as it was."""
    _still_as_seen(state)
    tree = staged.add_all()
    changes = staged.changes(tree)
    if not changes:
        return None
    if tree != state.scanned:
        refuse_secrets(staged, tree, scanner)
    hooks = Hooks(staged, tree, scanner)
    with hooks.undone_on_failure():
        made = _made(state, staged, message, hooks, scanner, tree)
    if made:
        hooks.tell("post-commit")
    return made


def take_back(git: Git, made: Commit) -> None:
    """Undoes a commit that the remote refused: the branch and the index are as before, the files were never touched."""
    tree = git.run("write-tree", sheltered=True).text
    _move(git, made.branch, made.parent, made.name, "commit-all: taken back, since the remote refused it")
    if tree == git.must("rev-parse", f"{made.name}^{{tree}}", sheltered=True):  # nobody has staged anything since
        with IndexLock(git) as index:
            index.replace(made.before)


def _still_as_seen(state: State) -> None:
    seen = (state.branch, state.head)
    find(state)
    refuse_unfinished(state.git, state.changed)
    if (state.branch, state.head) != seen:
        raise Stopped("The checkout changed while it was looked at; once more: oracle commit-all")
    refuse_large(state.git, state.changed)


def _made(state: State, staged: Staged, message: str, hooks: Hooks, scanner: Scanner, tree: str) -> Commit | None:
    hooks.run("pre-commit")
    final = staged.tree()
    if final != tree:
        refuse_secrets(staged, final, scanner)
    changes = staged.changes(final)
    if not changes:
        return None
    text = _message(staged, hooks, scanner, message or messages.made_from(changes))
    name = _object(staged, state.head, final, text)
    made = Commit(name, state.head, state.branch, text.splitlines()[0], staged.before)
    _settle(staged, made)
    return made


def _message(staged: Staged, hooks: Hooks, scanner: Scanner, message: str) -> str:
    """The message after the hooks that may edit it. Raises Stopped when one refuses it or nothing is left of it."""
    file = staged.git.directory / "COMMIT_EDITMSG"
    file.write_text(message + "\n", encoding="utf-8")
    hooks.run("prepare-commit-msg", str(file), "message")
    hooks.run("commit-msg", str(file))
    text = staged.git.must("stripspace", stdin=file.read_bytes())
    if not text.strip():
        raise Stopped("The commit message is empty; give one: oracle commit-all -m MESSAGE")
    if any(scanner.findings([Addition("message", list(enumerate(text.splitlines(), start=1)))])):
        raise Stopped("The commit message holds a secret; give another: oracle commit-all -m MESSAGE")
    return text


def _object(staged: Staged, parent: str, tree: str, text: str) -> str:
    git = staged.git
    sign = git.run("config", "--type=bool", "--get", "commit.gpgSign").text == "true"
    options = ["-S"] if sign else []
    content = (text + "\n").encode("utf-8", "surrogateescape")
    return git.must("commit-tree", *options, "-p", parent, "-F", "-", tree, stdin=content, doing="Committing")


def _settle(staged: Staged, made: Commit) -> None:
    """Exchanges the index, then moves the branch; puts the index back where the branch cannot be moved."""
    git = staged.git
    with IndexLock(git) as index:
        if entries(git) != staged.entries:
            raise Stopped("Something was staged while the hooks ran; once more: oracle commit-all")
        index.replace(Index.read(staged.index))
    try:
        if git.must("symbolic-ref", "HEAD", sheltered=True) != f"refs/heads/{made.branch}":
            raise Stopped("Somebody went to another branch while the hooks ran; once more: oracle commit-all")
        _move(git, made.branch, made.name, made.parent, f"commit: {made.subject}")
    except BaseException:
        with IndexLock(git) as index:
            index.replace(staged.before)
        raise


def _move(git: Git, branch: str, to: str, since: str, why: str) -> None:
    """Moves the branch if it still is where it was; the branch's log says why."""
    arguments = ("update-ref", "-m", why, f"refs/heads/{branch}", to, since)
    git.must(*arguments, doing="Moving the branch", sheltered=True)
