"""Commands in a running container, through App Platform's console.

The console is a terminal behind a websocket: text frames `{"op":"stdin","data":…}` and `{"op":"resize",…}` go in,
`{"data":…}` comes out, everything typed is echoed and nothing tells how a command ended. So the command is followed
by a line that prints a random mark and the exit status; the echo cannot be mistaken for it, because the typed text
holds the mark in two parts. Protocol as doctl speaks it (github.com/digitalocean/doctl, pkg/terminal and
commands/apps.go).
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")
LINE_LIMIT = 3500  # a terminal in line mode takes 4096 bytes


class ConsoleError(Exception):
    """The console could not be used, or a command did not end; never holds what was typed."""


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    status: int
    output: str


def run_command(url: str, command: Sequence[str], seconds: float = 60.0) -> CommandResult:
    """Runs `command` in the shell behind `url` and returns its output and exit status. Raises ConsoleError."""
    mark = secrets.token_hex(8)
    line = f"{shlex.join(command)}; printf '%s%s %d\\n' {mark[:8]} {mark[8:]} $?\n"
    start = secrets.token_hex(8)
    opening = f"stty -echo; PS1=; PS2=; unset PROMPT_COMMAND; printf '%s%s\\n' {start[:8]} {start[8:]}\n"
    if len(line) > LINE_LIMIT:
        raise ConsoleError("The command is too long for the backend's console.")
    try:
        with _connected(url, seconds) as socket:
            end = time.monotonic() + seconds
            _send(socket, opening)
            _receive(socket, re.compile(start), end)
            _send(socket, line)
            text = _receive(socket, re.compile(rf"{mark} (\d+)"), end)
    except (OSError, WebSocketException, TimeoutError) as error:
        raise ConsoleError(f"The backend's console failed ({type(error).__name__}); try again: pulumi up") from None
    return _result(text, start, mark)


def _connected(url: str, seconds: float) -> ClientConnection:
    return connect(url, open_timeout=min(seconds, 20), close_timeout=2, max_size=None, proxy=None)


def _send(socket: ClientConnection, data: str) -> None:
    socket.send(json.dumps({"op": "stdin", "data": data}))


def _receive(socket: ClientConnection, until: re.Pattern[str], end: float) -> str:
    """Everything the terminal printed up to the pattern. Raises TimeoutError, ConsoleError when the shell ends
    before.
    """
    text = ""
    while not until.search(text):
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        frame = json.loads(socket.recv(timeout=left))
        text += ANSI.sub("", frame.get("data", ""))
    return text


def _result(text: str, start: str, mark: str) -> CommandResult:
    body, _, rest = text.partition(f"{mark} ")
    output = body.rpartition(start)[2] if start in body else body
    return CommandResult(status=int(rest.split()[0]), output=output.strip("\n"))
