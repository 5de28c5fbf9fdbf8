"""The sender of a console's input: keyboard, Ctrl-C, terminal size and keep-alives."""

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
    """A thread that sends input until it is stopped. `interrupt`, `give_up` and `resized` are safe in signal handlers.

    The first interrupt after a command has `started` is sent as Ctrl-C. Any other interrupt closes the console
    (`gave_up`), and so does the end of the keyboard's input.
    """

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__(daemon=True)
        self._socket = socket
        self._keyboard = -1
        self._requests, self._request_pipe = os.pipe()
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.started = False
        self.gave_up = False
        self._interrupted = False

    def type(self, text: str) -> None:
        """Send a text at once, in the calling thread."""
        self._socket.send(json.dumps({"op": "stdin", "data": text}))

    def read(self, keyboard: int) -> None:
        """Send the input and the size of this terminal from now on."""
        self._keyboard = keyboard
        self._request(RESIZE)

    def interrupt(self) -> None:
        self._request(INTERRUPT)

    def give_up(self) -> None:
        self._request(GIVE_UP)

    def resized(self) -> None:
        self._request(RESIZE)

    def stop(self) -> None:
        self._request(STOP)
        self.join()
        os.close(self._requests)
        os.close(self._request_pipe)

    def run(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            try:
                while self._step():
                    pass
            except OSError:  # the terminal is gone
                self._give_up()

    def _request(self, what: bytes) -> None:
        os.write(self._request_pipe, what)

    def _step(self) -> bool:
        """Wait for the next input and send it. Returns False at the end of all input."""
        sources = [self._requests] if self._keyboard < 0 else [self._requests, self._keyboard]
        ready = select.select(sources, [], [], KEEP_ALIVE_SECONDS)[0]
        if not ready:
            self.type("")
        if self._requests in ready:
            return self._handle(os.read(self._requests, 1))
        return not ready or self._send_keys()

    def _handle(self, request: bytes) -> bool:
        if request == RESIZE and self._keyboard >= 0:
            columns, rows = os.get_terminal_size(self._keyboard)
            self._socket.send(json.dumps({"op": "resize", "width": columns, "height": rows}))
        if request == INTERRUPT:
            return self._interrupt()
        if request == GIVE_UP:
            return self._give_up()
        return request != STOP

    def _interrupt(self) -> bool:
        if self._interrupted or not self.started:
            return self._give_up()
        self._interrupted = True
        self.type(CONTROL_C)
        return True

    def _send_keys(self) -> bool:
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
