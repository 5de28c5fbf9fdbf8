"""Follow a Worker's live events.

A tail is created by `POST …/scripts/{script}/tails`, read by a websocket with the subprotocol `trace-v1`, and deleted
afterwards. Each message is the trace of one invocation, as a tail handler gets it:
https://developers.cloudflare.com/workers/runtime-apis/handlers/tail/. As wrangler does, we first send whether we want
the events that filters drop, and we send pings (workers-sdk, packages/wrangler/src/tail).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from clients.websocket import BROKEN, connected
from clients.workers_api.client import NO_SCRIPT, Workers, WorkersApiError

PROTOCOL = "trace-v1"
OPEN_SECONDS = 20.0
PING_SECONDS = 10.0


class TailEnded(Exception):
    """The stream ended, or could not be opened. The text is the predicate of a sentence, without the address."""


class Tail:
    """A tail of `script` for as long as the block lasts.

    Raises TailEnded, and WorkersApiError when there is no such script or the API refuses.
    """

    def __init__(self, workers: Workers, script: str) -> None:
        self._workers = workers
        self._resources = contextlib.ExitStack()
        self._path = f"{workers.scripts}/{quote(script, safe='')}/tails"

    def __enter__(self) -> Tail:
        tail = self._workers.request("POST", self._path, {"filters": []})
        self._id, self._expires = str(tail.get("id", "")), _moment(tail.get("expires_at"))
        try:
            address = str(tail.get("url", ""))
            opening = connected(address, OPEN_SECONDS, protocol=PROTOCOL, ping=PING_SECONDS)
            self._socket = self._resources.enter_context(opening)
            self._socket.send(json.dumps({"debug": False}))
        except BaseException as error:
            self.__exit__()
            if isinstance(error, BROKEN):
                raise TailEnded(f"does not open ({type(error).__name__})") from None
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._delete()
        self._resources.close()

    def read(self, seconds: float) -> Iterator[dict[str, Any]]:
        """Yield the next event; none if no event arrives within `seconds`."""
        if self._expires and datetime.now(UTC) >= self._expires:
            raise TailEnded("has expired")
        try:
            event = json.loads(self._socket.recv(timeout=seconds))
        except TimeoutError:
            return
        except ValueError:
            raise TailEnded("sends something else than events") from None
        except BROKEN:
            raise TailEnded("ended") from None
        if isinstance(event, dict):
            yield event

    def _delete(self) -> None:
        """Delete the tail. Errors are ignored: a tail that is not deleted expires."""
        with contextlib.suppress(WorkersApiError):
            self._workers.request("DELETE", f"{self._path}/{quote(self._id, safe='')}")


def is_gone(error: WorkersApiError) -> bool:
    """Return whether the error is that the script does not exist."""
    return bool(error.codes & NO_SCRIPT)


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None
