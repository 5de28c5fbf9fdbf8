"""A Worker's live events, followed from tail to tail. No tail is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

from ops.failures import Failure
from ops.tail.events import entry_of
from ops.tail.keeping_up import Lost, Opened
from ops.tail.model import Entry
from workersapi import Tail, TailEnded, Workers, WorkersApiError
from workersapi.tails import is_gone

TURN = 0.5


class Worker:
    """`update` is the command that deploys the script. Its stream raises Lost and Failure."""

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
            raise Lost(f"its stream of events {error}") from None
        except WorkersApiError as error:
            if is_gone(error):
                raise Failure(f"There is no Worker {self._script}. Deploy it: {self._update}") from None
            if error.status in (401, 403):
                raise Failure(str(error)) from None
            raise Lost(str(error).rstrip(".")) from None
