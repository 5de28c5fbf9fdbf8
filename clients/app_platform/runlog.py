"""A running component's log, followed.

The API answers with an address that is read by websocket: each message is `{"data": text}`, and each line begins with
the component's name and the time, as doctl reads them (github.com/digitalocean/doctl, commands/apps.go).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from clients.websocket import BROKEN, connected

OPEN_SECONDS = 20.0
PREFIXED = re.compile(r"\S+ (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) ?(.*)", re.DOTALL)


class LogEnded(Exception):
    """The stream has ended, or could not be opened: the rest of a sentence, without the address."""


@dataclass(frozen=True)
class LogLine:
    """`time` as App Platform prints it (RFC 3339, UTC); "" for a line that has none."""

    time: str
    text: str

    @classmethod
    def of(cls, text: str) -> LogLine:
        found = PREFIXED.fullmatch(text)
        return cls(found[1], found[2]) if found else cls("", text)


class RunLog:
    """The stream behind an address that `AppPlatform.live_log` gave. Everything raises LogEnded."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._held = ExitStack()

    def __enter__(self) -> RunLog:
        try:
            self._socket = self._held.enter_context(connected(_as_websocket(self._address), OPEN_SECONDS))
        except BROKEN as error:
            raise LogEnded(f"does not open ({type(error).__name__})") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def read(self, seconds: float) -> Iterator[LogLine]:
        """The lines of the next message, when one comes in that time."""
        try:
            message = json.loads(self._socket.recv(timeout=seconds))
            lines = str(message.get("data", "")).splitlines()
        except TimeoutError:
            return
        except (ValueError, AttributeError):
            raise LogEnded("sends something else than a log") from None
        except BROKEN:
            raise LogEnded("ended") from None
        yield from map(LogLine.of, lines)


def _as_websocket(address: str) -> str:
    """doctl asks `http:` addresses by `ws:`, and all others by `wss:`."""
    scheme, _, rest = address.partition("://")
    return f"{'ws' if scheme in ('http', 'ws') else 'wss'}://{rest}"
