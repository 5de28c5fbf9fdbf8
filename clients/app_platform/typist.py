"""What is typed into a console: keep-alives, Ctrl-C, the terminal's size and its keyboard."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import select
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

KEEP_ALIVE_SECONDS = 30.0
CONTROL_C = "\x03"
READ_BYTES = 4096
STOP, INTERRUPT, GIVE_UP, RESIZE = b"s", b"c", b"g", b"r"


class Typist(threading.Thread):
    """Types from a thread of its own until it is stopped. `interrupt`, `give_up` and `resized` are safe in signal
    handlers.

    A first interrupt is typed as Ctrl-C once a command has `begun`; any other closes the console (`gave_up`). The end
    of the keyboard closes it too.
    """

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__(daemon=True)
        self._socket = socket
        self._keyboard = -1
        self._asked, self._ask_here = os.pipe()
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.begun = False
        self.gave_up = False
        self._interrupted = False

    def type(self, text: str) -> None:
        """Types now, from the calling thread."""
        self._socket.send(json.dumps({"op": "stdin", "data": text}))

    def read(self, keyboard: int) -> None:
        """Passes on what comes from this terminal, and its size, from now on."""
        self._keyboard = keyboard
        self._ask(RESIZE)

    def interrupt(self) -> None:
        self._ask(INTERRUPT)

    def give_up(self) -> None:
        self._ask(GIVE_UP)

    def resized(self) -> None:
        self._ask(RESIZE)

    def stop(self) -> None:
        self._ask(STOP)
        self.join()
        os.close(self._asked)
        os.close(self._ask_here)

    def run(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            try:
                while self._step():
                    pass
            except OSError:  # the terminal is gone
                self._give_up()

    def _ask(self, what: bytes) -> None:
        os.write(self._ask_here, what)

    def _step(self) -> bool:
        """Waits for something to type, and types it; False when there will be nothing any more."""
        sources = [self._asked] if self._keyboard < 0 else [self._asked, self._keyboard]
        ready = select.select(sources, [], [], KEEP_ALIVE_SECONDS)[0]
        if not ready:
            self.type("")
        if self._asked in ready:
            return self._obey(os.read(self._asked, 1))
        return not ready or self._pass_on()

    def _obey(self, asked: bytes) -> bool:
        if asked == RESIZE and self._keyboard >= 0:
            columns, rows = os.get_terminal_size(self._keyboard)
            self._socket.send(json.dumps({"op": "resize", "width": columns, "height": rows}))
        if asked == INTERRUPT:
            return self._interrupt()
        if asked == GIVE_UP:
            return self._give_up()
        return asked != STOP

    def _interrupt(self) -> bool:
        if self._interrupted or not self.begun:
            return self._give_up()
        self._interrupted = True
        self.type(CONTROL_C)
        return True

    def _pass_on(self) -> bool:
        try:
            keys = os.read(self._keyboard, READ_BYTES)
        except OSError:
            keys = b""
        if not keys:
            return self._give_up()
        self.type(self._decoder.decode(keys))
        return True

    def _give_up(self) -> bool:
        self.gave_up = True
        self._socket.close()
        return False
