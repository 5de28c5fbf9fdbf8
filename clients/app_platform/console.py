"""The shell of a running container, through App Platform's console: one command, or an interactive session.

The console is a terminal behind a websocket. We send `{"op":"stdin","data":…}` and `{"op":"resize",…}`, and receive
`{"data":…}`. The terminal echoes all input and does not report exit statuses. So the shell is replaced by one that
reads a script, and prints a random mark before and after the script's output, the second one with the exit status. The
echo cannot be mistaken for a mark: a printed mark is followed by a letter, a typed one never. The protocol is that of
doctl (github.com/digitalocean/doctl, pkg/terminal and commands/apps.go).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import string
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from clients.app_platform.typist import Typist
from clients.websocket import BROKEN, connected
from errors import Remedy, UserError

OPEN_SECONDS = 20.0
PIECE = 3000  # a terminal takes lines of 4096 bytes at most
HARMLESS = frozenset((string.ascii_letters + string.digits + " ./_=:,+@-").encode())

# $1 is the mark, $2 the script's length. The script comes in lines, with an empty line at the end. Characters that a
# terminal or a shell might interpret are escaped as \ooo. A script that lost a character on its way is not run.
READER = (
    'm=$1; stty -echo -opost; printf "%s r\\n" "$m"; c=; while IFS= read -r l && [ -n "$l" ]; do c=$c$l; done; '
    'if [ "${#c}" != "$2" ]; then printf "%s x\\n" "$m"; exit 1; fi; c=$(printf "$c"); trap : INT; '
    'printf "%s b\\n" "$m"; eval "$c"; printf "%s e %d\\n" "$m" "${s:-126}"'
)
# The command has no input, and writes to a pipe, so that it behaves as in a script and its output is not changed.
# Ctrl-C ends only the command and not the shell around it, so that its status is still printed.
COMMAND = (
    "exec 3>&1; s=$(trap : INT; {{ {{ trap : INT; ( {command} ) </dev/null 2>&1 3>&- 4>&-; echo $? >&4; }} | "
    "{{ trap '' INT; exec cat >&3 4>&-; }}; }} 4>&1)"
)
SHELL = 'm=$1; trap : INT; printf "%s b\\n" "$m"; "$(command -v bash || command -v sh)"; printf "%s e %d\\n" "$m" "$?"'


class ConsoleError(UserError):
    """The console could not be used, or ended too early. The text never contains the input or the address."""


class ConsoleClosed(ConsoleError):
    """The console was closed by us."""


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    status: int
    output: str


def run_command(url: str, command: Sequence[str], seconds: float = 60.0) -> CommandResult:
    """Run `command` in the shell behind `url`; return its output and exit status. Raises ConsoleError."""
    with Console(url, seconds) as console:
        output = "".join(console.run(command))
    return CommandResult(status=console.status, output=output.strip("\n"))


class Console:
    """The shell behind `url`, which can be used once: `run` one command, or one `session`. Then `status` is set.

    `seconds` is the time limit for all of it. Every method raises ConsoleError.
    """

    def __init__(self, url: str, seconds: float | None = None) -> None:
        self._url = url
        self._end = None if seconds is None else time.monotonic() + seconds
        self._limit = seconds
        self._resources = ExitStack()
        self._mark = secrets.token_hex(8)
        self._text = ""
        self.status = -1

    def __enter__(self) -> Console:
        try:
            limit = OPEN_SECONDS if self._limit is None else min(self._limit, OPEN_SECONDS)
            # No pings: it is unknown if App Platform answers them, and the typist sends keep-alives.
            self._socket = self._resources.enter_context(connected(self._url, limit, largest=None))
        except BROKEN as error:
            problem = f"The backend's console could not be opened ({type(error).__name__})."
            raise ConsoleError(problem, Remedy.RETRY) from None
        self.typist = Typist(self._socket)
        self.typist.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.typist.stop()
        self._resources.close()

    def run(self, command: Sequence[str]) -> Iterator[str]:
        """Run the command, and yield its output of any length as it arrives. It has no input and no terminal."""
        script = _escaped(COMMAND.format(command=shlex.join(command)))
        self._open(READER, str(len(script)))
        self._skip("r")
        lines = [script[at : at + PIECE] for at in range(0, len(script), PIECE)]
        for line in [*lines, ""]:
            self._type(f"{line}\n")
        return self._start_output()

    def session(self) -> Iterator[str]:
        """Start an interactive shell, and yield its output. `typist` sends the input and the terminal's size."""
        self._open(SHELL)
        return self._start_output()

    def _open(self, program: str, *arguments: str) -> None:
        words = ["exec", "sh", "-c", program, "sh", self._mark, *arguments]
        self._type(f"{shlex.join(words)}\n")

    def _start_output(self) -> Iterator[str]:
        self._skip("b")
        self.typist.started = True
        return self._output()

    def _output(self) -> Iterator[str]:
        for text in self._until(rf"{self._mark} e (\d+)\r?\n"):
            if isinstance(text, str):
                yield text
            else:
                self.status = int(text[1])

    def _skip(self, step: str) -> None:
        """Skip the output before the mark of this step, which any shell prints at once."""
        end, self._end = self._end, min(self._end or float("inf"), time.monotonic() + OPEN_SECONDS)
        for text in self._until(rf"{self._mark} ([{step}x])\r?\n"):
            if not isinstance(text, str) and text[1] == "x":
                problem = "The backend's console lost a part of the command, so nothing was run."
                raise ConsoleError(problem, Remedy.RETRY)
        self._end = end

    def _until(self, pattern: str) -> Iterator[str | re.Match[str]]:
        """Yield the text before the pattern as it arrives, then the match. The pattern begins with the mark."""
        while not (found := re.search(pattern, self._text)):
            ready = len(self._text) - _partial_mark_length(self._text, self._mark)
            if ready:
                yield self._text[:ready]
            self._text = self._text[ready:] + self._receive()
        if found.start():
            yield self._text[: found.start()]
        self._text = self._text[found.end() :]
        yield found

    def _receive(self) -> str:
        try:
            left = None if self._end is None else max(0.0, self._end - time.monotonic())
            return str(json.loads(self._socket.recv(timeout=left)).get("data", ""))
        except TimeoutError:
            raise ConsoleError("The backend's console did not answer in time.", Remedy.RETRY) from None
        except (ValueError, AttributeError):
            raise ConsoleError("The backend's console sent something else than output.", Remedy.RETRY) from None
        except BROKEN:
            raise self._ended() from None

    def _type(self, text: str) -> None:
        try:
            self.typist.type(text)
        except BROKEN:
            raise self._ended() from None

    def _ended(self) -> ConsoleError:
        if self.typist.gave_up:
            return ConsoleClosed("The console was closed before the command ended.")
        return ConsoleError(
            "The backend's console ended before the command: its container was replaced or stopped, or the connection "
            "broke.",
            Remedy.RETRY,
        )


def _escaped(script: str) -> str:
    """Escape, as \\ooo, all characters that a terminal or a shell's line editor might interpret."""
    return "".join(chr(byte) if byte in HARMLESS else f"\\{byte:03o}" for byte in os.fsencode(script))


def _partial_mark_length(text: str, mark: str) -> int:
    """Return how many characters at the end of the text may be the start of a mark."""
    whole = text.rfind(mark)
    if whole >= 0:
        return len(text) - whole
    return next((size for size in range(len(mark) - 1, 0, -1) if text.endswith(mark[:size])), 0)
