"""Git as a program: a command and an environment in which its output is right whatever the user's settings are.

Taken away is what belongs to another repository (`GIT_DIR` and the like), and settled is what changes output: colors,
pagers, quoting, signatures, external diffs. Left as the user has set it is what decides about access and commits:
identity, signing, hooks, credentials, `url.insteadOf`, `safe.directory`, filters.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from programs.process import Done, quoted, run

SECONDS = 300.0
# What a surrounding git command may have set for its own repository (git rev-parse --local-env-vars, without the
# configuration, which is the user's), the modes of path patterns, and what changes a diff.
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
# These print on standard error, where failures are read, unless they name a file.
TRACES = ("GIT_TRACE", "GIT_CURL_VERBOSE")
TO_STANDARD_ERROR = frozenset({"1", "2", "true", "yes", "on"})
SETTLED = {
    "GIT_TERMINAL_PROMPT": "0",  # several run at once: none may wait for an answer
    "GCM_INTERACTIVE": "never",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_OPTIONAL_LOCKS": "0",  # looking writes nothing
    "GIT_EDITOR": ":",
    "GIT_PAGER": "cat",
    "LANGUAGE": "en",  # failures are known by git's own words
}
CONFIG = {
    "color.ui": "false",
    "core.quotePath": "false",
    "core.fsmonitor": "false",  # a program of the user's that says which files changed, or a daemon
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
    """The command line of `git ARGUMENTS`."""
    settings = [word for name, value in CONFIG.items() for word in ("-c", f"{name}={value}")]
    return ["git", "--no-pager", *settings, *arguments]


def environment(extra: Mapping[str, str] | None = None, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for git and its hooks: ours (or the one given), without what belongs to another repository."""
    around = os.environ if inherited is None else inherited
    kept = {name: value for name, value in around.items() if name not in FOREIGN and not _traces(name, value)}
    return {**kept, **SETTLED, **(extra or {})}


def git(folder: Path, *arguments: str, seconds: float = SECONDS) -> Done:
    """Runs a git command in a folder, whatever its status. Raises OutOfTime, and OSError without git."""
    return run(command("-C", str(folder), *arguments), env=environment(), seconds=seconds)


def distrusted(said: str) -> str | None:
    """The advice for a checkout of another user, from what git said on standard error; None for any other failure."""
    found = DUBIOUS.search(said)
    if found is None:
        return None
    folder = quoted(found["folder"])  # as git compares it: absolute
    return f"The checkout belongs to another user; if you trust it: git config --global --add safe.directory {folder}"


def _traces(name: str, value: str) -> bool:
    return name.startswith(TRACES) and value.lower() in TO_STANDARD_ERROR
