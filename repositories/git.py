"""Git in one checkout: run its commands, and find its own files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from errors import Fix
from programs import Done, git
from repositories.failures import Stopped, git_failure
from repositories.processes import Processes

LOCAL_SECONDS = git.SECONDS


@dataclass(frozen=True)
class Git:
    """Runs git in the checkout `folder`. `path` is its name in messages, quoted for a shell."""

    folder: Path
    path: str
    processes: Processes = field(repr=False)

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        extra: dict[str, str] | None = None,
        seconds: float = LOCAL_SECONDS,
        sheltered: bool = False,
    ) -> Done:
        """Run a git command and return its status and output. Raises Stopped if git is not installed.

        A `sheltered` command is not stopped by an interrupt: it restores something.
        """
        environment = git.environment(extra)
        try:
            return self.processes.run(git.command(*arguments), self.folder, environment, stdin, seconds, sheltered)
        except OSError as error:
            raise Stopped(
                f"Git does not start ({error.strerror}).", Fix("git --version", "to check it", first="install git")
            ) from None

    def run_checked(
        self,
        *arguments: str,
        doing: str = "",
        stdin: bytes = b"",
        extra: dict[str, str] | None = None,
        seconds: float = LOCAL_SECONDS,
        sheltered: bool = False,
    ) -> str:
        """Run a git command and return its output. Raises Stopped when it fails."""
        done = self.run(*arguments, stdin=stdin, extra=extra, seconds=seconds, sheltered=sheltered)
        if done.status != 0:
            raise git_failure(done.errors, self.path, doing or f"`git {arguments[0]}`")
        return done.names

    @cached_property
    def directory(self) -> Path:
        """The checkout's git directory. A linked worktree has its own."""
        return Path(self.run_checked("rev-parse", "--absolute-git-dir"))

    @cached_property
    def index(self) -> Path:
        return self.directory / "index"

    @cached_property
    def objects(self) -> Path:
        return self.folder / self.run_checked("rev-parse", "--git-path", "objects")


def shown(name: str) -> str:
    """Return a file's name on one line, with its unprintable characters escaped."""
    plain = name.encode("utf-8", "backslashreplace").decode()
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in plain)
