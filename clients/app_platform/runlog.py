"""Follow the log of a running component.

The API returns the address of a websocket. Each message is `{"data": text}`, and each line begins with the component's
name and the time, as in doctl (github.com/digitalocean/doctl, commands/apps.go).
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
    """The stream ended, or could not be opened. The text is the predicate of a sentence, without the address."""


@dataclass(frozen=True)
class LogLine:
    """One line of the log. `time` is in RFC 3339, UTC, as App Platform prints it; "" if the line has none."""

    time: str
    text: str

    @classmethod
    def of(cls, text: str) -> LogLine:
        match = PREFIXED.fullmatch(text)
        return cls(match[1], match[2]) if match else cls("", text)


class RunLog:
    """The stream behind an address from `AppPlatform.live_log`. Every method raises LogEnded."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._resources = ExitStack()

    def __enter__(self) -> RunLog:
        try:
            self._socket = self._resources.enter_context(connected(_as_websocket(self._address), OPEN_SECONDS))
        except BROKEN as error:
            raise LogEnded(f"does not open ({type(error).__name__})") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def read(self, seconds: float) -> Iterator[LogLine]:
        """Yield the lines of the next message; none if no message arrives within `seconds`."""
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
    """Return the websocket address: `ws:` for `http:`, `wss:` for all others, as in doctl."""
    scheme, _, rest = address.partition("://")
    return f"{'ws' if scheme in ('http', 'ws') else 'wss'}://{rest}"
