"""Run git with a command and an environment that make its output independent of the user's settings.

Variables of another repository (`GIT_DIR` and the like) are removed. Settings that change the output have fixed values:
colors, pagers, quoting, signatures, external diffs. Settings for access and commits remain the user's: identity,
signing, hooks, credentials, `url.insteadOf`, `safe.directory`, filters.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from programs.process import Done, quoted, run

SECONDS = 300.0
# Variables that a surrounding git command may have set for its own repository (git rev-parse --local-env-vars, without
# the user's configuration), the modes of path patterns, and variables that change a diff.
FOREIGN = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_ATTR_SOURCE",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DEFAULT_HASH",
        "GIT_DIFF_OPTS",
        "GIT_DIR",
        "GIT_EXTERNAL_DIFF",
        "GIT_GLOB_PATHSPECS",
        "GIT_GRAFT_FILE",
        "GIT_ICASE_PATHSPECS",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INDEX_VERSION",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_LITERAL_PATHSPECS",
        "GIT_NAMESPACE",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REFLOG_ACTION",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
# Traces go to standard error, where we read failures, unless the variable names a file.
TRACES = ("GIT_TRACE", "GIT_CURL_VERBOSE")
TO_STANDARD_ERROR = frozenset({"1", "2", "true", "yes", "on"})
SETTLED = {
    "GIT_TERMINAL_PROMPT": "0",  # several git processes run at once, and none may wait for an answer
    "GCM_INTERACTIVE": "never",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_OPTIONAL_LOCKS": "0",  # reading the status writes nothing
    "GIT_EDITOR": ":",
    "GIT_PAGER": "cat",
    "LANGUAGE": "en",  # failures are recognized by git's English messages
}
CONFIG = {
    "color.ui": "false",
    "core.quotePath": "false",
    "core.fsmonitor": "false",  # a hook or daemon of the user's that reports changed files
    "diff.noprefix": "false",
    "diff.mnemonicPrefix": "false",
    "diff.orderFile": "/dev/null",
    "i18n.commitEncoding": "UTF-8",
    "i18n.logOutputEncoding": "UTF-8",
    "log.showSignature": "false",
    "submodule.recurse": "false",
}
DUBIOUS = re.compile(r"dubious ownership in repository at '(?P<folder>[^\n]+)'")


def command(*arguments: str) -> list[str]:
    """Return the command line of `git ARGUMENTS`."""
    settings = [word for name, value in CONFIG.items() for word in ("-c", f"{name}={value}")]
    return ["git", "--no-pager", *settings, *arguments]


def environment(extra: Mapping[str, str] | None = None, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for git and its hooks: `inherited` or ours, without another repository's variables."""
    base = os.environ if inherited is None else inherited
    own = {name: value for name, value in base.items() if name not in FOREIGN and not _is_trace_to_stderr(name, value)}
    return {**own, **SETTLED, **(extra or {})}


def git(folder: Path, *arguments: str, seconds: float = SECONDS) -> Done:
    """Run a git command in a folder and return its status and output. Raises OutOfTime, and OSError without git."""
    return run(command("-C", str(folder), *arguments), env=environment(), seconds=seconds)


def distrusted(said: str) -> str | None:
    """Return the folder of a checkout that belongs to another user, quoted for a shell.

    None if git's errors show another failure.
    """
    match = DUBIOUS.search(said)
    return quoted(match["folder"]) if match else None  # as git compares it: absolute


def _is_trace_to_stderr(name: str, value: str) -> bool:
    return name.startswith(TRACES) and value.lower() in TO_STANDARD_ERROR
