"""Run the repository's own commit hooks as `git commit` does: with the staged copy as index, from the top folder.

When a hook fails, the files are restored. If they differed, their state is stored first, as a commit without a branch.
So neither a formatter's changes nor edits by a person while the hook ran are lost.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from errors import First, Fix, Remedy
from programs import Done
from programs import git as git_program
from repositories.failures import Stopped, without_credentials
from repositories.git import shown
from repositories.secrets import Scanner
from repositories.staging import Staged

HOOK_SECONDS = 900.0
SHOWN_LINES = 12


class Hooks:
    """The hooks of one checkout. `tree` is the staged tree before any hook ran; a failure restores it."""

    def __init__(self, staged: Staged, tree: str, scanner: Scanner) -> None:
        self._staged = staged
        self._tree = tree
        self._scanner = scanner
        self._folder = staged.git.folder / staged.git.run_checked("rev-parse", "--git-path", "hooks")
        self._ran = False

    def run(self, name: str, *arguments: str) -> None:
        """Run a hook if it exists. Raises Stopped with its output when it fails."""
        hook = self._folder / name
        if not (hook.is_file() and os.access(hook, os.X_OK)):
            return
        self._ran = True
        done = self._run(hook, self._staged.extra, *arguments)
        if done.status != 0:
            output = self._output_lines(done)
            raise Stopped(
                f"The {name} hook refused the commit (status {done.status}).",
                First("resolve that", Remedy.RETRY),
                details=output,
            )

    @contextlib.contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Undo the hooks' changes of files when the block fails."""
        try:
            yield
        except Stopped as stopped:
            stopped.details = (*stopped.details, *self._restore_files())
            raise
        except BaseException:
            self._restore_files()
            raise

    def notify(self, name: str) -> None:
        """Run a hook after the commit. Its failure is ignored."""
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
                see = Fix(f"ls -l {shown(str(hook))}", "to see its permissions")
                raise Stopped(f"The {hook.name} hook cannot be run ({error.strerror}).", see) from None
            return git.processes.run(["sh", str(hook), *arguments], git.folder, own, seconds=HOOK_SECONDS)

    def _output_lines(self, done: Done) -> tuple[str, ...]:
        printed = done.output.decode(errors="replace") + done.errors
        lines = [shown(line.rstrip()) for line in printed.splitlines() if line.strip()]
        return tuple(without_credentials(line) for line in self._scanner.clean(lines[-SHOWN_LINES:]))

    def _restore_files(self) -> list[str]:
        """Restore the files of before the hooks. If they differed, returns a line with the command that shows them."""
        if not self._ran:
            return []
        git, after = self._staged.git, self._staged.folder / "after"
        shutil.copy2(self._staged.index, after)
        extra = {"GIT_INDEX_FILE": str(after)}
        git.run_checked("add", "--all", "--", ":/", extra=extra, sheltered=True)
        tree = git.run_checked("write-tree", extra=extra, sheltered=True)
        if tree == self._tree:
            return []
        subject = "Files as a failed hook left them"
        stored = git.run_checked("commit-tree", "-p", "HEAD", "-m", subject, tree, sheltered=True)
        self._reset_files(tree, extra)
        show = f"git -C {git.path} show {stored[:12]}"
        return [f"The hook changed files, which were restored. To see its changes, run `{show}`."]

    def _reset_files(self, tree: str, extra: dict[str, str]) -> None:
        git = self._staged.git
        changes = git.run_checked(
            "diff-tree", "-r", "-z", "--name-status", "--no-renames", self._tree, tree, sheltered=True
        )
        fields = changes.split("\0")
        pairs = list(zip(fields[0::2], fields[1::2], strict=False))
        for _, path in (pair for pair in pairs if pair[0] == "A"):
            with contextlib.suppress(OSError):
                (git.folder / path).unlink()
                (git.folder / path).parent.rmdir()  # fails unless the folder is empty
        names = os.fsencode("\0".join(path for kind, path in pairs if kind != "A"))
        git.run_checked("read-tree", self._tree, extra=extra, sheltered=True)
        if names:
            git.run_checked("checkout-index", "--force", "-z", "--stdin", stdin=names, extra=extra, sheltered=True)
