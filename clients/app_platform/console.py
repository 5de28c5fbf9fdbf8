"""A running container's shell, through App Platform's console: one command, or a session at the keyboard.

The console is a terminal behind a websocket: `{"op":"stdin","data":…}` and `{"op":"resize",…}` go in, `{"data":…}`
comes out, everything typed is echoed and nothing tells how a command ended. So the shell that answers is replaced by
one that reads a script and prints a random mark where the script's output begins, and where it ends with the exit
status. The echo cannot be mistaken for it: behind a printed mark stands a letter, behind the typed one never. Protocol
as doctl speaks it (github.com/digitalocean/doctl, pkg/terminal and commands/apps.go).
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

OPEN_SECONDS = 20.0
PIECE = 3000  # a terminal takes lines of 4096 bytes at most
HARMLESS = frozenset((string.ascii_letters + string.digits + " ./_=:,+@-").encode())

# $1 is the mark, $2 the script's length. The script comes in lines, an empty one behind them, each character that a
# terminal or a shell might take otherwise as \ooo. One that lost a character on its way is not run.
READER = (
    'm=$1; stty -echo -opost; printf "%s r\\n" "$m"; c=; while IFS= read -r l && [ -n "$l" ]; do c=$c$l; done; '
    'if [ "${#c}" != "$2" ]; then printf "%s x\\n" "$m"; exit 1; fi; c=$(printf "$c"); trap : INT; '
    'printf "%s b\\n" "$m"; eval "$c"; printf "%s e %d\\n" "$m" "${s:-126}"'
)
# Nothing to read, and a pipe to write to: a command behaves as in a script, and its output stays as it is. Ctrl-C
# ends the command and nothing around it, so that its status still comes.
COMMAND = (
    "exec 3>&1; s=$(trap : INT; {{ {{ trap : INT; ( {command} ) </dev/null 2>&1 3>&- 4>&-; echo $? >&4; }} | "
    "{{ trap '' INT; exec cat >&3 4>&-; }}; }} 4>&1)"
)
SHELL = 'm=$1; trap : INT; printf "%s b\\n" "$m"; "$(command -v bash || command -v sh)"; printf "%s e %d\\n" "$m" "$?"'


class ConsoleError(Exception):
    """The console could not be used, or ended too early; a sentence that never holds what was typed or the address."""


class ConsoleClosed(ConsoleError):
    """It was closed from here."""


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    status: int
    output: str


def run_command(url: str, command: Sequence[str], seconds: float = 60.0) -> CommandResult:
    """Runs `command` in the shell behind `url`; its output and exit status. Raises ConsoleError."""
    try:
        with Console(url, seconds) as console:
            output = "".join(console.run(command))
    except ConsoleError as error:
        raise ConsoleError(f"{str(error).rstrip('.')}; try again: pulumi up") from None
    return CommandResult(status=console.status, output=output.strip("\n"))


class Console:
    """The shell behind `url`, which works once: `run` one command, or hold one `session`; then `status` is set.

    `seconds` limits the whole of it. Everything raises ConsoleError.
    """

    def __init__(self, url: str, seconds: float | None = None) -> None:
        self._url = url
        self._end = None if seconds is None else time.monotonic() + seconds
        self._limit = seconds
        self._held = ExitStack()
        self._mark = secrets.token_hex(8)
        self._text = ""
        self.status = -1

    def __enter__(self) -> Console:
        try:
            limit = OPEN_SECONDS if self._limit is None else min(self._limit, OPEN_SECONDS)
            # No pings: whether App Platform answers them is not known, and the typist's keep-alive does the same.
            self._socket = self._held.enter_context(connected(self._url, limit, largest=None))
        except BROKEN as error:
            raise ConsoleError(f"The backend's console failed to open ({type(error).__name__}).") from None
        self.typist = Typist(self._socket)
        self.typist.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.typist.stop()
        self._held.close()

    def run(self, command: Sequence[str]) -> Iterator[str]:
        """The command's output as it comes, whatever its length; it has nothing to read and no terminal."""
        script = _harmless(COMMAND.format(command=shlex.join(command)))
        self._open(READER, str(len(script)))
        self._skip("r")
        lines = [script[at : at + PIECE] for at in range(0, len(script), PIECE)]
        for line in [*lines, ""]:
            self._type(f"{line}\n")
        return self._begun()

    def session(self) -> Iterator[str]:
        """What a shell on the terminal prints. What it reads, and the terminal's size, come from `typist`."""
        self._open(SHELL)
        return self._begun()

    def _open(self, program: str, *arguments: str) -> None:
        words = ["exec", "sh", "-c", program, "sh", self._mark, *arguments]
        self._type(f"{shlex.join(words)}\n")

    def _begun(self) -> Iterator[str]:
        self._skip("b")
        self.typist.begun = True
        return self._output()

    def _output(self) -> Iterator[str]:
        for text in self._until(rf"{self._mark} e (\d+)\r?\n"):
            if isinstance(text, str):
                yield text
            else:
                self.status = int(text[1])

    def _skip(self, step: str) -> None:
        """Passes over everything before the mark of this step, which any shell comes to at once."""
        end, self._end = self._end, min(self._end or float("inf"), time.monotonic() + OPEN_SECONDS)
        for text in self._until(rf"{self._mark} ([{step}x])\r?\n"):
            if not isinstance(text, str) and text[1] == "x":
                raise ConsoleError("The backend's console lost a part of the command, so nothing was run.")
        self._end = end

    def _until(self, pattern: str) -> Iterator[str | re.Match[str]]:
        """Text before the pattern, which begins with the mark, as it comes; at last the match."""
        while not (found := re.search(pattern, self._text)):
            ready = len(self._text) - _withheld(self._text, self._mark)
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
            raise ConsoleError("The backend's console did not answer in time.") from None
        except (ValueError, AttributeError):
            raise ConsoleError("The backend's console answered something else than output.") from None
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
            "The backend's console ended too early: its container was replaced or stopped, or the connection broke."
        )


def _harmless(script: str) -> str:
    """The script as characters that neither a terminal nor a shell's line editor acts upon; others as \\ooo."""
    return "".join(chr(byte) if byte in HARMLESS else f"\\{byte:03o}" for byte in os.fsencode(script))


def _withheld(text: str, mark: str) -> int:
    """How many characters at the end of the text may be the beginning of something marked."""
    whole = text.rfind(mark)
    if whole >= 0:
        return len(text) - whole
    return next((size for size in range(len(mark) - 1, 0, -1) if text.endswith(mark[:size])), 0)
