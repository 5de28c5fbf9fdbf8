"""Commit all changes of a checkout, so that a failure at any step leaves the checkout unchanged.

The hooks run and the commit object is created with a copy of the index. Then the index is replaced, and then the branch
moves. Both steps are atomic and fail if somebody else changed the index or the branch. A process that is killed between
them leaves the changes staged; one that is killed earlier leaves the checkout unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

from errors import First, Remedy
from repositories import messages
from repositories.additions import Addition
from repositories.checkout_state import State, find, refuse_secrets, refuse_unfinished
from repositories.failures import Stopped
from repositories.git import Git
from repositories.hooks import Hooks
from repositories.secrets import Scanner
from repositories.staging import Index, IndexLock, Staged, entries, refuse_large


@dataclass(frozen=True)
class Commit:
    """A commit that was created on top of `parent`. `before` is the index before it."""

    name: str
    parent: str
    branch: str
    subject: str
    before: Index | None


def commit(state: State, staged: Staged, message: str, scanner: Scanner) -> Commit | None:
    """Commit all changes of the checkout; None if there are none. Raises Stopped and leaves the checkout unchanged."""
    _refuse_if_changed(state)
    tree = staged.add_all()
    changes = staged.changes(tree)
    if not changes:
        return None
    if tree != state.scanned:
        refuse_secrets(staged, tree, scanner)
    hooks = Hooks(staged, tree, scanner)
    with hooks.undone_on_failure():
        created = _create(state, staged, message, hooks, scanner, tree)
    if created:
        hooks.notify("post-commit")
    return created


def take_back(git: Git, made: Commit) -> None:
    """Undo a commit that the remote refused: restore the branch and the index. The files were never changed."""
    tree = git.run("write-tree", sheltered=True).text
    _move(git, made.branch, made.parent, made.name, "commit-all: undone, because the remote refused it")
    if tree == git.run_checked("rev-parse", f"{made.name}^{{tree}}", sheltered=True):  # nothing was staged since
        with IndexLock(git) as index:
            index.replace(made.before)


def _refuse_if_changed(state: State) -> None:
    expected = (state.branch, state.head)
    find(state)
    refuse_unfinished(state.git, state.changed)
    if (state.branch, state.head) != expected:
        raise Stopped("The checkout changed while it was read.", Remedy.RETRY)
    refuse_large(state.git, state.changed)


def _create(state: State, staged: Staged, message: str, hooks: Hooks, scanner: Scanner, tree: str) -> Commit | None:
    hooks.run("pre-commit")
    final = staged.tree()
    if final != tree:
        refuse_secrets(staged, final, scanner)
    changes = staged.changes(final)
    if not changes:
        return None
    text = _message(staged, hooks, scanner, message or messages.made_from(changes))
    name = _object(staged, state.head, final, text)
    created = Commit(name, state.head, state.branch, text.splitlines()[0], staged.before)
    _apply(staged, created)
    return created


def _message(staged: Staged, hooks: Hooks, scanner: Scanner, message: str) -> str:
    """Return the message after the hooks that may edit it. Raises Stopped when one refuses it or it becomes empty."""
    file = staged.git.directory / "COMMIT_EDITMSG"
    file.write_text(message + "\n", encoding="utf-8")
    hooks.run("prepare-commit-msg", str(file), "message")
    hooks.run("commit-msg", str(file))
    text = staged.git.run_checked("stripspace", stdin=file.read_bytes())
    if not text.strip():
        raise Stopped("The commit message is empty.", First("choose another message", Remedy.RETRY))
    if any(scanner.findings([Addition("message", list(enumerate(text.splitlines(), start=1)))])):
        raise Stopped("The commit message contains a secret.", First("choose another message", Remedy.RETRY))
    return text


def _object(staged: Staged, parent: str, tree: str, text: str) -> str:
    git = staged.git
    sign = git.run("config", "--type=bool", "--get", "commit.gpgSign").text == "true"
    options = ["-S"] if sign else []
    content = (text + "\n").encode("utf-8", "surrogateescape")
    return git.run_checked("commit-tree", *options, "-p", parent, "-F", "-", tree, stdin=content, doing="Committing")


def _apply(staged: Staged, made: Commit) -> None:
    """Replace the index, then move the branch. If the branch cannot be moved, the index is restored."""
    git = staged.git
    with IndexLock(git) as index:
        if entries(git) != staged.entries:
            raise Stopped("Something was staged while the hooks ran.", Remedy.RETRY)
        index.replace(Index.read(staged.index))
    try:
        if git.run_checked("symbolic-ref", "HEAD", sheltered=True) != f"refs/heads/{made.branch}":
            raise Stopped("The checkout was switched to another branch while the hooks ran.", Remedy.RETRY)
        _move(git, made.branch, made.name, made.parent, f"commit: {made.subject}")
    except BaseException:
        with IndexLock(git) as index:
            index.replace(staged.before)
        raise


def _move(git: Git, branch: str, to: str, since: str, why: str) -> None:
    """Move the branch from the commit `since` to `to`, with `why` in its reflog. Fails if it is at another commit."""
    arguments = ("update-ref", "-m", why, f"refs/heads/{branch}", to, since)
    git.run_checked(*arguments, doing="Moving the branch", sheltered=True)
