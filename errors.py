"""Errors that a person can act on, as data: a problem, its cause, and what helps.

`advice` turns them into text. Clients and libraries know no command line, so they name what helps as a `Remedy`, a
`SetKey`, a `RemoveKey` or a `RestoreBackup`. The program and the command, which know it, give a `Fix`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

STACK = "<stack>"
"""Stands for the stack's name in a command, until `advice` fills it in."""


@dataclass(frozen=True)
class Fix:
    """A command to type. It reads as a sentence: [`first`, then] run `command` [`purpose`] [, then run `then`]."""

    command: str = ""
    """The command, with `STACK` for the stack's name. It is empty if `first` is all there is to do."""
    purpose: str = ""
    """What the command is for, such as "to choose another name"."""
    first: str = ""
    """What has to be done before, as an imperative without a full stop."""
    then: str | Remedy = ""
    """The command to run after it."""


class Remedy(Enum):
    """What helps, where the code that fails knows no command line."""

    RETRY = auto()
    """Do again what has failed."""
    RETRY_CONFIRMED = auto()
    """Do again what has failed, with the confirmation that it asks for."""
    BUILD = auto()
    """Build the services."""
    LOAD_ENVIRONMENT = auto()
    """Load the stack's tokens and passphrase into the shell."""
    START_LOCAL_CLOUD = auto()
    READ_LOCAL_CLOUD_LOG = auto()
    LIST_BACKUPS = auto()
    TAKE_BACKUP = auto()
    MAKE_BACKUP_KEY = auto()
    LIST_RELEASES = auto()
    SHOW_ADMIN_PASSWORD = auto()
    """Read the declared password of the admin, to set it in the backend's dashboard."""
    READ_BACKEND_LOG = auto()


@dataclass(frozen=True)
class First:
    """Something to do by hand, as an imperative without a full stop, and the remedy after it."""

    action: str
    then: Remedy | None = None


@dataclass(frozen=True)
class SetKey:
    """Set a configuration key, such as `oracle-net:backend.appName`."""

    key: str
    value: str = "VALUE"
    secret: bool = False
    """A secret's value is typed at a question, and is never an argument."""
    then: Remedy | None = None


@dataclass(frozen=True)
class RemoveKey:
    """Remove a configuration key."""

    key: str


@dataclass(frozen=True)
class RestoreBackup:
    """Restore a backup's data."""

    backup: str
    """The backup's id."""


Help = Fix | Remedy | First | SetKey | RemoveKey | RestoreBackup


class UserError(Exception):
    """A problem that a person can act on.

    `problem` is one sentence or more. `helps` are the alternatives that fix it. `cause` is the error or the text below
    it; a cause of several lines, such as the end of a log, begins on its own line. An error without `helps` has those
    of its cause. `go_on` is the command that continues after the fix, with `STACK` for the stack's name. As a string,
    an error is the problem and the cause, without a fix.
    """

    def __init__(self, problem: str, *helps: Help, cause: BaseException | str = "", go_on: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.cause = cause
        self.helps: tuple[Help, ...] = helps or (cause.helps if isinstance(cause, UserError) else ())
        self.go_on = go_on

    def __str__(self) -> str:
        cause = str(self.cause).strip()
        separator = ":\n" if "\n" in cause else ": "
        return f"{self.problem.rstrip('.')}{separator}{cause}" if cause else self.problem


class UserErrors(UserError):
    """Several problems at once, such as those of a configuration; the text has a line for each."""

    def __init__(self, errors: Sequence[UserError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = tuple(errors)
        self.helps = tuple(help for each in errors for help in each.helps)
