"""Git in one checkout: its commands, and the places of its own files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from programs import Done, git
from repositories.failures import Stopped, git_sentence
from repositories.processes import Processes

LOCAL_SECONDS = git.SECONDS


@dataclass(frozen=True)
class Git:
    """Runs git in the checkout `folder`; `path` is how sentences name it, as a shell takes it."""

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
        """Runs a git command to its end, whatever its status. Raises Stopped where there is no git."""
        environment = git.environment(extra)
        try:
            return self.processes.run(git.command(*arguments), self.folder, environment, stdin, seconds, sheltered)
        except OSError as error:
            raise Stopped(f"Git does not start ({error.strerror}); install it, then: git --version") from None

    def must(
        self,
        *arguments: str,
        doing: str = "",
        stdin: bytes = b"",
        extra: dict[str, str] | None = None,
        seconds: float = LOCAL_SECONDS,
        sheltered: bool = False,
    ) -> str:
        """Runs a git command and returns its output. Raises Stopped with a sentence when it fails."""
        done = self.run(*arguments, stdin=stdin, extra=extra, seconds=seconds, sheltered=sheltered)
        if done.status != 0:
            raise Stopped(git_sentence(done.errors, self.path, doing or f"`git {arguments[0]}`"))
        return done.names

    @cached_property
    def directory(self) -> Path:
        """The checkout's own git directory; of a linked worktree, that worktree's."""
        return Path(self.must("rev-parse", "--absolute-git-dir"))

    @cached_property
    def index(self) -> Path:
        return self.directory / "index"

    @cached_property
    def objects(self) -> Path:
        return self.folder / self.must("rev-parse", "--git-path", "objects")


def shown(name: str) -> str:
    """A file's name on one line, with what cannot be printed escaped."""
    plain = name.encode("utf-8", "backslashreplace").decode()
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in plain)
