"""The repository's own hooks around a commit, run as `git commit` runs them: on the staged copy, from the top folder.

What a hook that fails has done to the files is taken back. What they were in the meantime is kept as a commit that no
branch has, so that a formatter's work, or what somebody typed while the hook ran, is not lost.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from programs import Done
from programs import git as git_program
from repositories.failures import Stopped, without_credentials
from repositories.git import shown
from repositories.secrets import Scanner
from repositories.staging import Staged

HOOK_SECONDS = 900.0
SHOWN_LINES = 12


class Hooks:
    """The hooks of one checkout. `tree` is the staged tree before any of them ran: what is put back."""

    def __init__(self, staged: Staged, tree: str, scanner: Scanner) -> None:
        self._staged = staged
        self._tree = tree
        self._scanner = scanner
        self._folder = staged.git.folder / staged.git.must("rev-parse", "--git-path", "hooks")
        self._ran = False

    def run(self, name: str, *arguments: str) -> None:
        """Runs a hook if there is one. Raises Stopped with what it printed when it says no."""
        hook = self._folder / name
        if not (hook.is_file() and os.access(hook, os.X_OK)):
            return
        self._ran = True
        done = self._run(hook, self._staged.extra, *arguments)
        if done.status != 0:
            said = self._said(done)
            raise Stopped(f"The {name} hook said no (status {done.status}); mend that, then: oracle commit-all", said)

    @contextlib.contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Takes back what hooks did to the files when anything in the block fails."""
        try:
            yield
        except Stopped as stopped:
            raise type(stopped)(stopped.sentence, (*stopped.details, *self._put_back())) from None
        except BaseException:
            self._put_back()
            raise

    def tell(self, name: str) -> None:
        """Runs a hook that has no say, once everything is done."""
        with contextlib.suppress(Stopped, OSError):
            hook = self._folder / name
            if hook.is_file() and os.access(hook, os.X_OK):
                self._run(hook, {})

    def _run(self, hook: Path, extra: dict[str, str], *arguments: str) -> Done:
        git = self._staged.git
        own = git_program.environment({**extra, "GIT_PREFIX": ""})
        try:
            return git.processes.run([str(hook), *arguments], git.folder, own, seconds=HOOK_SECONDS)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                sentence = f"The {hook.name} hook cannot be run: {error.strerror}; see: ls -l {shown(str(hook))}"
                raise Stopped(sentence) from None
            return git.processes.run(["sh", str(hook), *arguments], git.folder, own, seconds=HOOK_SECONDS)

    def _said(self, done: Done) -> tuple[str, ...]:
        printed = done.output.decode(errors="replace") + done.errors
        lines = [shown(line.rstrip()) for line in printed.splitlines() if line.strip()]
        return tuple(without_credentials(line) for line in self._scanner.clean(lines[-SHOWN_LINES:]))

    def _put_back(self) -> list[str]:
        """Makes the files what they were before the hooks; returns how to get at what was there, if it differed."""
        if not self._ran:
            return []
        git, after = self._staged.git, self._staged.folder / "after"
        shutil.copy2(self._staged.index, after)
        extra = {"GIT_INDEX_FILE": str(after)}
        git.must("add", "--all", "--", ":/", extra=extra, sheltered=True)
        found = git.must("write-tree", extra=extra, sheltered=True)
        if found == self._tree:
            return []
        subject = "Files as a failed hook left them"
        kept = git.must("commit-tree", "-p", "HEAD", "-m", subject, found, sheltered=True)
        self._undo(found, extra)
        return [f"The hook had changed files, which are as before; its version: git -C {git.path} show {kept[:12]}"]

    def _undo(self, found: str, extra: dict[str, str]) -> None:
        git = self._staged.git
        told = git.must("diff-tree", "-r", "-z", "--name-status", "--no-renames", self._tree, found, sheltered=True)
        fields = told.split("\0")
        pairs = list(zip(fields[0::2], fields[1::2], strict=False))
        for _, path in (pair for pair in pairs if pair[0] == "A"):
            with contextlib.suppress(OSError):
                (git.folder / path).unlink()
                (git.folder / path).parent.rmdir()  # only when nothing else is in it
        names = os.fsencode("\0".join(path for kind, path in pairs if kind != "A"))
        git.must("read-tree", self._tree, extra=extra, sheltered=True)
        if names:
            git.must("checkout-index", "--force", "-z", "--stdin", stdin=names, extra=extra, sheltered=True)
