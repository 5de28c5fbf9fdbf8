"""Follow a Worker's live events from tail to tail. Each tail is deleted at its end."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

from cli.tail.events import entry_of
from cli.tail.model import Entry
from cli.tail.reopen import Opened, StreamLost
from cli.ui.errors import CommandError
from clients.workers_api import Tail, TailEnded, Workers, WorkersApiError
from clients.workers_api.tails import is_gone
from errors import Fix

TURN = 0.5


class Worker:
    """A Worker's events. `update` is the command that deploys it. Its stream raises StreamLost and UserError."""

    def __init__(self, workers: Workers, service: str, script: str, update: str, stop: Event) -> None:
        self._workers, self._service, self._script = workers, service, script
        self._update, self._stop = update, stop

    def stream(self) -> Iterator[Entry | Opened]:
        try:
            with Tail(self._workers, self._script) as tail:
                yield Opened()
                while not self._stop.is_set():
                    for event in tail.read(TURN):
                        yield entry_of(self._service, event)
        except TailEnded as error:
            raise StreamLost(f"The stream of events {error}.") from None
        except WorkersApiError as error:
            if is_gone(error):
                deploy = Fix(self._update, "to deploy it")
                raise CommandError(f"The Worker {self._script} does not exist.", deploy) from None
            if error.status in (401, 403):
                raise
            raise StreamLost(error.problem, *error.helps, cause=error.cause) from None
