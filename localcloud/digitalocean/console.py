"""A shell on a pseudo-terminal behind a websocket, like App Platform's console.

In: {"op": "stdin", "data": text} and {"op": "resize", "width": columns, "height": rows}. Out: {"data": text}. When the
shell ends, the socket closes normally; when the socket closes, the terminal hangs up. The traffic is neither stored nor
logged.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import fcntl
import json
import os
import struct
import sys
import termios

from starlette.websockets import WebSocket, WebSocketDisconnect

from localcloud.backoff import attempts
from localcloud.digitalocean.containers import Container
from localcloud.processes import end_session

IDLE_SECONDS = 300.0
"""A client sends an empty stdin every 30 s to keep its console open; after a longer silence it counts as gone."""
READ_BYTES = 32 * 1024
HANGUP_SECONDS = 1.0
UNSUPPORTED = 1003
# login_tty makes the terminal the controlling one of a new session, which gives the shell job control and signals.
SHELL = (sys.executable, "-I", "-S", "-c", "import os; os.login_tty(0); os.execv('/bin/sh', ['sh'])")


class BadFrame(Exception):
    """A frame that is no operation."""


class Console:
    """One shell in a running container's directory, with the component's environment."""

    def __init__(self, socket: WebSocket, container: Container) -> None:
        self._socket = socket
        self._container = container
        self._terminal = -1
        self._output: asyncio.Queue[bytes] = asyncio.Queue()

    async def run(self) -> None:
        """Serve until the shell ends, the client leaves or the container is stopped."""
        process = await self._start()
        sending = asyncio.create_task(self._send())
        receiving = asyncio.create_task(self._receive())
        ends = {sending, receiving, self._container.program.exited} if self._container.program else {sending, receiving}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            receiving.cancel()
            outcome = await asyncio.gather(sending, receiving, return_exceptions=True)
            await self._hang_up(process)
        bad = any(isinstance(each, BadFrame) for each in outcome)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await self._socket.close(UNSUPPORTED if bad else 1000)

    async def _start(self) -> asyncio.subprocess.Process:
        self._terminal, inner = os.openpty()
        env = self._container.environment() | {"TERM": "xterm-256color", "HISTFILE": "/dev/null"}
        try:
            process = await asyncio.create_subprocess_exec(
                *SHELL, cwd=self._container.workdir, env=env, stdin=inner, stdout=inner, stderr=inner
            )
        finally:
            os.close(inner)
        os.set_blocking(self._terminal, False)
        asyncio.get_running_loop().add_reader(self._terminal, self._read)
        return process

    def _read(self) -> None:
        """Read the terminal's output; its end (EIO on Linux, no bytes elsewhere) becomes an empty piece."""
        try:
            piece = os.read(self._terminal, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self._output.put_nowait(piece)
        if not piece:
            asyncio.get_running_loop().remove_reader(self._terminal)

    async def _send(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        while piece := await self._output.get():
            if text := decoder.decode(piece):
                await self._socket.send_text(json.dumps({"data": text}))

    async def _receive(self) -> None:
        """Process operations until the client leaves or stays silent for too long."""
        with contextlib.suppress(WebSocketDisconnect, TimeoutError):
            while True:
                frame = await asyncio.wait_for(self._socket.receive_text(), IDLE_SECONDS)
                await self._operate(frame)

    async def _operate(self, frame: str) -> None:
        try:
            operation = json.loads(frame)
            kind = operation["op"]
            if kind == "stdin":
                await self._write(str(operation["data"]).encode())
            elif kind == "resize":
                size = struct.pack("HHHH", int(operation["height"]), int(operation["width"]), 0, 0)
                fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)
            else:
                raise BadFrame
        except (ValueError, KeyError, TypeError, struct.error) as error:
            raise BadFrame from error

    async def _write(self, data: bytes) -> None:
        """Write to the terminal, and wait while it accepts no more."""
        for pause in attempts(0.005, 0.2):
            await asyncio.sleep(pause)
            data = self._write_part(data)
            if not data:
                return

    def _write_part(self, data: bytes) -> bytes:
        """Write the part that the terminal accepts now; return the rest."""
        with contextlib.suppress(BlockingIOError):
            while data:
                data = data[os.write(self._terminal, data) :]
        return data

    async def _hang_up(self, process: asyncio.subprocess.Process) -> None:
        """Close the terminal, which hangs up the shell; kill the rest of its session."""
        asyncio.get_running_loop().remove_reader(self._terminal)
        os.close(self._terminal)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), HANGUP_SECONDS)
        await asyncio.to_thread(end_session, process.pid)
        await process.wait()
