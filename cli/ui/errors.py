"""Errors of the command, and of the engine that it runs.

`ENGINE` is the table of the engine's known failures; any other failure is shown in the engine's own words.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import advice
from errors import STACK, Fix, Help, Remedy, SetKey, UserError
from tracebacks import full_text, located

NO_STATUS = 1


KILLED = "the engine was killed"
"""The cause when a signal ended the engine, so that the engine printed none."""


class CommandError(UserError):
    """A failure of a command; `status` is its exit status."""

    def __init__(
        self,
        problem: str,
        *helps: Help,
        cause: BaseException | str = "",
        go_on: str = "",
        status: int = NO_STATUS,
    ) -> None:
        super().__init__(problem, *helps, cause=cause, go_on=go_on)
        self.status = status

    @classmethod
    def of(cls, error: UserError) -> Self:
        """Return the same error as one of this class."""
        return cls(error.problem, *error.helps, cause=error.cause, go_on=error.go_on)


@dataclass(frozen=True)
class KnownFailure:
    """A failure of the engine: the pattern of its message, and the problem and fixes in our words.

    `{stack}` in the problem is the stack's name, `{holder}` the holder of its lock.
    """

    pattern: str
    problem: str
    helps: tuple[Help, ...]


LOCKED = r"currently locked by \d+ lock|Another update is currently in progress"
"""The engine's messages for a concurrent update: with the state in a folder or a bucket, and in Pulumi Cloud."""
ENGINE = (
    KnownFailure(
        r"incorrect passphrase",
        "The passphrase does not open the secrets of Pulumi.{stack}.yaml.",
        (
            Remedy.LOAD_ENVIRONMENT,
            Fix(f"git diff Pulumi.{STACK}.yaml", "to see whether its encryptionsalt has changed"),
        ),
    ),
    KnownFailure(
        r"get stack secrets manager: illegal base64",
        "The encryptionsalt of Pulumi.{stack}.yaml is damaged.",
        (
            Fix(f"git diff Pulumi.{STACK}.yaml", "to see what it was"),
            Fix(first="delete that line, if git ignores the file"),
        ),
    ),
    KnownFailure(
        r"passphrase must be set with PULUMI_CONFIG_PASSPHRASE", "No passphrase is set.", (Remedy.LOAD_ENVIRONMENT,)
    ),
    KnownFailure(
        LOCKED,
        "Another update of {stack}{holder} holds the lock, or was killed.",
        (Fix(first="wait for it"), Fix(f"oracle recover {STACK}", "if it was killed")),
    ),
    KnownFailure(
        r"App name already exists",
        "Another app of the account has the name of the backend's app.",
        (
            SetKey("oracle-net:backend.appName", "NAME"),
            Fix(f"oracle recover {STACK}", "if an interrupted update has made that app"),
        ),
    ),
    KnownFailure(
        r"connection refused|API at \S+ does not answer", "A cloud's API does not answer.", (Remedy.START_LOCAL_CLOUD,)
    ),
    KnownFailure(
        r"Unable to authenticate you|Invalid API Token|Authentication error|refuses the token|: 401 |\(status 401\)",
        "A cloud refused the token: it is another stack's, or it is no longer valid.",
        (Fix(f"oracle doctor {STACK}", "to see which one"),),
    ),
    KnownFailure(
        r"unsupported (checkpoint|deployment) version|needs support for the following features",
        "A newer engine than this one has written the state of {stack}.",
        (Fix("git pull && make tools", "to get the engine that the others use"),),
    ),
    KnownFailure(
        r"failed to load checkpoint|error: place \d+: ",  # the second is printed by `pulumi stack ls`
        "The state of {stack} is damaged, and nothing else works until it is repaired.",
        (Fix(f"oracle doctor {STACK}"),),
    ),
    KnownFailure(
        r"PULUMI_ACCESS_TOKEN must be set", "You are not logged in to a state backend.", (Fix("pulumi login"),)
    ),
)
"""The engine's known failures; the first that matches counts."""

HOLDER = re.compile(r": created by (?P<user>\S+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")

# The engine's summaries say that something failed, but not the cause.
LISTED = re.compile(r"^Diagnostics:[ \t]*\n", re.MULTILINE)
TRACE = re.compile(r"Traceback \(most recent call last\)|Program failed with an unhandled exception")
EXIT = re.compile(r"exited with non-zero exit code: (-?\d+)")
LONGEST = 300
"""The most characters of an exception's last line that are shown."""
SUMMARY = re.compile(r"(update|preview) failed$|an unhandled error occurred|.*\d+ errors? occurred:?$")


def is_locked(output: str) -> bool:
    """Return whether the engine did nothing because another update holds the lock."""
    return re.search(LOCKED, _error_lines(output), re.IGNORECASE) is not None


def engine_failure(output: str, stack: str) -> CommandError | None:
    """Return the error for the first known failure in the engine's output, or None."""
    errors = _error_lines(output)
    for known in ENGINE:
        if re.search(known.pattern, errors, re.IGNORECASE):
            fixes = (advice.fix(each, stack, retry="") for each in known.helps)
            return CommandError(known.problem.format(stack=stack, holder=_holder(output)), *fixes)
    return None


def _error_lines(output: str) -> str:
    """Return the engine's error lines only, since the logs of services in its output may use the same words."""
    return "\n".join(re.findall(r"^\s*(?:error: |\* ).*$", output, re.MULTILINE))


def _holder(output: str) -> str:
    """Return the lock's holder, which the engine prints below its error; empty when it prints none."""
    match = HOLDER.search(output)
    return " ({user} on {host}, process {pid}, since {since})".format(**match.groupdict()) if match else ""


@dataclass(frozen=True)
class Cause:
    """The cause of an engine's failure.

    It is `unexpected` when it is an exception of the program instead of a sentence of ours or the engine's.
    """

    text: str
    unexpected: bool = False


def program_sentence(output: str) -> str | None:
    """Return the first error with a cause from the engine's final list, or None. Our own errors are sentences."""
    cause = program_cause(output)
    return cause.text if cause else None


def program_cause(output: str) -> Cause | None:
    """Return the cause of a failed program, and whether it is unexpected. An exception is shown by its last line."""
    listed = re.split(r"^(?=\S)", LISTED.split(output)[-1], maxsplit=1, flags=re.MULTILINE)[0]
    errors = list(_errors(listed))
    first = next((error for error in errors if not SUMMARY.match(error[0])), None)
    if first is None:
        return _exit_cause(listed, errors)
    if TRACE.match(first[0]):
        raised = _exception_text(first[1:])
        return Cause(f"the program did not expect this, whose trace is above: {raised}", unexpected=True)
    begin, mark, raised = first[0].partition("the program did not expect this, whose trace follows: ")
    if mark:
        return Cause(f"{begin}the program did not expect this, whose trace is above: {raised}", unexpected=True)
    return Cause(first[0])


def _errors(listed: str) -> Iterator[list[str]]:
    """Yield the lines of each error, without their indentation."""
    current: list[str] = []
    for line in listed.splitlines():
        match = re.match(r"\s+(?:error: |\* )(.+)$", line)
        if match and not (current and TRACE.match(current[0]) and not line.startswith("    error: ")):
            if current:
                yield current
            current = [match[1]]
        elif current and (line.startswith("    ") or not line.strip()):
            current.append(line[4:])
        elif current:
            yield current
            current = []
    if current:
        yield current


def _exception_text(trace: Sequence[str]) -> str:
    """Return the exception of a traceback on one line: the text after its last frame."""
    frames = [number for number, line in enumerate(trace) if re.match(r'[ |]+File "', line)]
    behind = list(trace[frames[-1] + 1 :] if frames else trace)
    first = next((number for number, line in enumerate(behind) if line[:1].strip()), None)
    words = " ".join(" ".join(behind[first:]).split()) if first is not None else ""
    last = [line.strip(" |+-") for line in behind if line.strip(" |+-")]  # for a group of exceptions, its last line
    return (words or (last[-1] if last else "an exception without a name"))[:LONGEST]


def _exit_cause(listed: str, errors: Sequence[Sequence[str]]) -> Cause | None:
    """Return the cause when the program ended on its own: its exit status and its last line."""
    exit_match = next((match for error in errors if (match := EXIT.search(error[0]))), None)
    if exit_match is None:
        return None
    printed = re.findall(r"^    (?!error: |warning: )(\S.*)$", listed, re.MULTILINE)
    text = f"the program ended with exit status {exit_match[1]}" + (f"; it said last: {printed[-1]}" if printed else "")
    return Cause(text, unexpected=True)


def unexpected(error: BaseException, folder: Path) -> str:
    """Return the sentence for an unexpected exception of this command; its full text goes to a file in `folder`."""
    command = " ".join(["oracle", *sys.argv[1:2]])
    problem = f"`{command}` met an unexpected error: {located(error)}."
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.txt"
        path.touch(mode=0o600)
        path.write_text(full_text(error))
    except OSError:
        return f"{full_text(error)}\n{problem} Its full text is above."
    return advice.with_fixes(problem, [Fix(f"cat {shlex.quote(str(path))}", "to read its full text")])
