"""Failures as people see them: one sentence that names what is wrong and the next command to type.

`CommandError` is what our own code raises. `ENGINE` is the table of the engine's known failures; what is not in it is
shown as the engine said it.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tracebacks import full_text, located

NO_STATUS = 1


KILLED = "the engine was killed"
"""Said when the engine ended by a signal, and so could not say anything itself."""


class CommandError(Exception):
    """One sentence and the next command; `status` is the exit status."""

    def __init__(self, sentence: str, status: int = NO_STATUS) -> None:
        super().__init__(sentence)
        self.status = status


LOCKED = r"currently locked by \d+ lock|Another update is currently in progress"
"""How the engine says that another update is at work: with the state in a folder or a bucket, and in Pulumi Cloud."""
ENGINE: tuple[tuple[str, str], ...] = (
    (
        r"incorrect passphrase",
        (
            "The passphrase does not open the secrets of Pulumi.{stack}.yaml; load the stack's own: "
            'eval "$(oracle env {stack})", or see where its encryptionsalt went: git diff Pulumi.{stack}.yaml '
            "(in a file that git ignores: delete that line)"
        ),
    ),
    (
        r"get stack secrets manager: illegal base64",
        (
            "The encryptionsalt of Pulumi.{stack}.yaml is damaged; take it back: git diff Pulumi.{stack}.yaml "
            "(in a file that git ignores: delete that line)"
        ),
    ),
    (
        r"passphrase must be set with PULUMI_CONFIG_PASSPHRASE",
        'No passphrase is set; load the stack\'s environment: eval "$(oracle env {stack})"',
    ),
    (
        LOCKED,
        (
            "Another update of {stack}{holder} holds the lock, or was killed; wait for it, or take over from a "
            "dead one: oracle recover {stack}"
        ),
    ),
    (
        r"App name already exists",
        (
            "The backend's app name is taken by another app of the account; choose one: "
            "pulumi config set --path oracle-net:backend.appName NAME --stack {stack}; when an interrupted update has "
            "made it: oracle recover {stack}"
        ),
    ),
    (
        r"connection refused|API at \S+ does not answer",
        "A cloud's API does not answer; if it is the local cloud, start it: oracle cloud start",
    ),
    (
        r"Unable to authenticate you|Invalid API Token|Authentication error|refuses the token|: 401 |\(status 401\)",
        (
            "A cloud refused the token: it is another stack's, or no longer counts. See which, and what to do: "
            "oracle doctor {stack}"
        ),
    ),
    (
        r"unsupported (checkpoint|deployment) version|needs support for the following features",
        (
            "A newer engine than this one has written the state of {stack}; take the one that the others use: "
            "git pull && make tools"
        ),
    ),
    (
        r"failed to load checkpoint|error: place \d+: ",  # the second is how `pulumi stack ls` says it
        "The state of {stack} is damaged, and nothing can be done before it is mended: oracle doctor {stack}",
    ),
    (
        r"PULUMI_ACCESS_TOKEN must be set",
        "Nobody is logged in to a state backend; log in: pulumi login",
    ),
)

HOLDER = re.compile(r": created by (?P<user>\S+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")

# The engine's summaries: that something failed, not what.
LISTED = re.compile(r"^Diagnostics:[ \t]*\n", re.MULTILINE)
TRACE = re.compile(r"Traceback \(most recent call last\)|Program failed with an unhandled exception")
EXIT = re.compile(r"exited with non-zero exit code: (-?\d+)")
LONGEST = 300
"""Characters of an exception's last line."""
SUMMARY = re.compile(r"(update|preview) failed$|an unhandled error occurred|.*\d+ errors? occurred:?$")


def is_locked(output: str) -> bool:
    """Whether the engine did nothing, since another update is at work."""
    return re.search(LOCKED, _error_lines(output), re.IGNORECASE) is not None


def engine_sentence(output: str, stack: str) -> str | None:
    """The sentence for the first known failure in the engine's output, or None."""
    errors = _error_lines(output)
    for pattern, sentence in ENGINE:
        if re.search(pattern, errors, re.IGNORECASE):
            return sentence.format(stack=stack, holder=_holder(output))
    return None


def _error_lines(output: str) -> str:
    """What the engine calls an error: the services' own logs, which it shows too, may use the same words."""
    return "\n".join(re.findall(r"^\s*(?:error: |\* ).*$", output, re.MULTILINE))


def _holder(output: str) -> str:
    """Who holds the lock, as the engine says below its error; empty where it does not."""
    said = HOLDER.search(output)
    return " ({user} on {host}, process {pid}, since {since})".format(**said.groupdict()) if said else ""


@dataclass(frozen=True)
class Cause:
    """Why the engine failed; `unexpected` is an exception of the program, and no sentence of ours or the engine's."""

    text: str
    unexpected: bool = False


def program_sentence(output: str) -> str | None:
    """The first error that says what is wrong, of those the engine lists at the end, or None. Our own are sentences."""
    found = program_cause(output)
    return found.text if found else None


def program_cause(output: str) -> Cause | None:
    """The same, and whether anybody expected it. An exception is told by its last line."""
    listed = re.split(r"^(?=\S)", LISTED.split(output)[-1], maxsplit=1, flags=re.MULTILINE)[0]
    errors = list(_errors(listed))
    first = next((error for error in errors if not SUMMARY.match(error[0])), None)
    if first is None:
        return _exit(listed, errors)
    if TRACE.match(first[0]):
        raised = _raised(first[1:])
        return Cause(f"the program did not expect this, whose trace stands above: {raised}", unexpected=True)
    begin, mark, raised = first[0].partition("the program did not expect this, whose trace follows: ")
    if mark:
        return Cause(f"{begin}the program did not expect this, whose trace stands above: {raised}", unexpected=True)
    return Cause(first[0])


def _errors(listed: str) -> Iterator[list[str]]:
    """The lines of each error, without their indentation."""
    current: list[str] = []
    for line in listed.splitlines():
        found = re.match(r"\s+(?:error: |\* )(.+)$", line)
        if found and not (current and TRACE.match(current[0]) and not line.startswith("    error: ")):
            if current:
                yield current
            current = [found[1]]
        elif current and (line.startswith("    ") or not line.strip()):
            current.append(line[4:])
        elif current:
            yield current
            current = []
    if current:
        yield current


def _raised(trace: Sequence[str]) -> str:
    """The exception of a traceback: what stands behind its last frame, on one line."""
    frames = [number for number, line in enumerate(trace) if re.match(r'[ |]+File "', line)]
    behind = list(trace[frames[-1] + 1 :] if frames else trace)
    at = next((number for number, line in enumerate(behind) if line[:1].strip()), None)
    words = " ".join(" ".join(behind[at:]).split()) if at is not None else ""
    last = [line.strip(" |+-") for line in behind if line.strip(" |+-")]  # of a group of exceptions, its last one
    return (words or (last[-1] if last else "an exception without a name"))[:LONGEST]


def _exit(listed: str, errors: Sequence[Sequence[str]]) -> Cause | None:
    """For a program that ended by itself: its exit status, and what it said last."""
    ended = next((found for error in errors if (found := EXIT.search(error[0]))), None)
    if ended is None:
        return None
    said = re.findall(r"^    (?!error: |warning: )(\S.*)$", listed, re.MULTILINE)
    text = f"the program ended with exit status {ended[1]}" + (f"; it said last: {said[-1]}" if said else "")
    return Cause(text, unexpected=True)


def unexpected(error: BaseException, folder: Path) -> str:
    """The sentence for an exception of this command that nobody expected; its full text goes to a file in `folder`."""
    command = " ".join(["oracle", *sys.argv[1:2]])
    begin = f"`{command}` met an error that nobody expected: {located(error)}."
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.txt"
        path.touch(mode=0o600)
        path.write_text(full_text(error))
    except OSError:
        return f"{full_text(error)}\n{begin} Its full text stands above."
    return f"{begin} Its full text: cat {shlex.quote(str(path))}"
