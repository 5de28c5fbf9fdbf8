"""Git in one checkout: its commands, the environment they run in, and the places of its own files."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from repositories.failures import Stopped, git_sentence
from repositories.processes import Done, Processes

LOCAL_SECONDS = 300.0
# What a surrounding git command may have set for its own repository: git rev-parse --local-env-vars, and the modes of
# path patterns.
FOREIGN = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS",
        "GIT_DIFF_OPTS",
        "GIT_DIR",
        "GIT_EXTERNAL_DIFF",
        "GIT_GLOB_PATHSPECS",
        "GIT_GRAFT_FILE",
        "GIT_ICASE_PATHSPECS",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_LITERAL_PATHSPECS",
        "GIT_NAMESPACE",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
SETTLED = {
    "GIT_TERMINAL_PROMPT": "0",  # several run at once: none may wait for an answer
    "GCM_INTERACTIVE": "never",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_OPTIONAL_LOCKS": "0",  # looking writes nothing
    "GIT_EDITOR": ":",
    "LANGUAGE": "en",  # failures are known by git's own words
}


@dataclass(frozen=True)
class Git:
    """Runs git in the checkout `folder`; `path` is how sentences name it."""

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
        """Runs a git command to its end, whatever its status."""
        command = ["git", "--no-pager", "-c", "core.quotePath=false", *arguments]
        return self.processes.run(command, self.folder, environment(extra), stdin, seconds, sheltered)

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
        return done.text

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


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """The environment for git and its hooks: ours, without what belongs to another repository."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return {**kept, **SETTLED, **(extra or {})}


def shown(name: str) -> str:
    """A file's name on one line, with what cannot be printed escaped."""
    plain = name.encode("utf-8", "backslashreplace").decode()
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in plain)
