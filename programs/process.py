"""Programs as child processes: run to their end with their output, or started beside us.

A program has ended when its own process has. A background process that it leaves behind may hold its output open; it is
not waited for. Output is bytes, which may be anything.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CHUNK = 64 * 1024
PIPE_LIMIT = 1024 * 1024  # bytes: no pipe of an ordinary user holds more, so all that an ended program wrote is in them
GRACE = 5.0  # seconds between asking a program to end and ending it

Command = Sequence[str | Path]
Line = Callable[[bytes], object]


class OutOfTime(subprocess.TimeoutExpired):
    """The program did not end in time, and was stopped."""


@dataclass(frozen=True)
class Done:
    """A program that has ended: its status and what it printed."""

    status: int
    output: bytes = b""
    errors: str = ""

    @property
    def text(self) -> str:
        """The output as text; a byte that is none is replaced."""
        return self.output.decode(errors="replace").rstrip("\n")

    @property
    def names(self) -> str:
        """The output as file names: each of them, also one that is no text, opens its file."""
        return os.fsdecode(self.output).rstrip("\n")


class Program:
    """A running program whose output comes to us.

    `merged` puts its standard error into its output. `session` gives it a session of its own: the terminal's Ctrl-C
    does not reach it, it can ask nothing there, and `end` ends its children too. Raises OSError when it cannot start.
    """

    def __init__(
        self,
        command: Command,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        merged: bool = False,
        session: bool = False,
        takes_input: bool = False,
    ) -> None:
        self._session = session
        self._process = subprocess.Popen(
            [os.fspath(part) for part in command],
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            start_new_session=session,
        )

    def finish(
        self, stdin: bytes = b"", seconds: float | None = None, line: Line | None = None, *, patient: bool = False
    ) -> Done:
        """Waits for its end. With `line`, which gets each line of the output as it comes, no output is kept.

        Raises OutOfTime. The program is ended first, as it is for any other exception; with `patient` it is waited for
        when Ctrl-C interrupts us, since the terminal has told it too.
        """
        try:
            with _end_of(self._process) as ended:
                return self._exchange(_Exchange(self._process, stdin, line), ended, seconds)
        except KeyboardInterrupt:
            if patient:
                self._close()  # else it could wait for us to read
                self._process.wait()
            else:
                self.end()
            raise
        except BaseException:
            self.end()
            raise
        finally:
            self._close()

    def _exchange(self, exchange: _Exchange, ended: int, seconds: float | None) -> Done:
        deadline = None if seconds is None else time.monotonic() + seconds
        with exchange.selector as selector:
            selector.register(ended, selectors.EVENT_READ, None)
            while True:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise OutOfTime(self._process.args, seconds or 0)
                ready = selector.select(left)
                exchange.move([key for key, _ in ready if key.data is not None])
                if any(key.fd == ended for key, _ in ready):
                    exchange.drain()
                    return Done(self._process.wait(), bytes(exchange.output), exchange.errors.decode(errors="replace"))

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, to its whole session when it has one of its own; to one that has ended, none."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._session:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)

    def end(self) -> None:
        """Asks it to end, and ends it when it does not."""
        self.signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        self.signal(signal.SIGKILL)
        self._process.wait()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class _Exchange:
    """The bytes that go to a program and come from it."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, line: Line | None) -> None:
        self.selector = selectors.DefaultSelector()
        self.output, self.errors = bytearray(), bytearray()
        self._line, self._left = line, memoryview(stdin)
        self._sinks = [(process.stdout, self._take), (process.stderr, self.errors.extend)]
        for pipe, sink in self._sinks:
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self.selector.register(pipe, selectors.EVENT_READ, sink)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            self.selector.register(process.stdin, selectors.EVENT_WRITE, self._give)

    def move(self, ready: list[selectors.SelectorKey]) -> None:
        """Reads or writes once where that does not wait."""
        for key in ready:
            if key.data == self._give:
                self._give(key.fileobj)  # type: ignore[arg-type]
            elif not self._read(key.fd, key.data):
                self.selector.unregister(key.fileobj)

    def drain(self) -> None:
        """Reads what is in the pipes of a program that has ended, and no more: others may go on writing to them."""
        for pipe, sink in self._sinks:
            begun = 0
            while pipe is not None and begun < PIPE_LIMIT and (count := self._read(pipe.fileno(), sink)):
                if count < 0:
                    break
                begun += count
        if self._line is not None and self.output:
            self._line(bytes(self.output))
            self.output.clear()

    def _read(self, pipe: int, sink: Callable[[bytes], object]) -> int:
        """How many bytes there were; 0 at the end, -1 when there are none now."""
        try:
            chunk = os.read(pipe, CHUNK)
        except BlockingIOError:
            return -1
        sink(chunk)
        return len(chunk)

    def _take(self, chunk: bytes) -> None:
        self.output += chunk
        if self._line is None or b"\n" not in chunk:
            return
        *whole, rest = bytes(self.output).split(b"\n")
        self.output[:] = rest
        for each in whole:
            self._line(each)

    def _give(self, pipe: IO[bytes]) -> None:
        try:
            self._left = self._left[os.write(pipe.fileno(), self._left[:CHUNK]) :] if self._left else self._left
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._left = memoryview(b"")
        if not self._left:
            self.selector.unregister(pipe)
            pipe.close()


@contextlib.contextmanager
def _end_of(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """A file descriptor that becomes readable when the process has ended."""
    reading, writing = os.pipe()

    def wait() -> None:
        process.wait()
        os.close(writing)

    threading.Thread(target=wait, name=f"end of {process.pid}", daemon=True).start()
    try:
        yield reading
    finally:
        os.close(reading)


def run(
    command: Command,
    *,
    seconds: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    merged: bool = False,
    session: bool = False,
    line: Line | None = None,
    patient: bool = False,
) -> Done:
    """Runs a program to its end, whatever its status. `env` is its whole environment; ours when there is none.

    Raises OutOfTime, and OSError when it cannot start. See `Program` for the rest.
    """
    program = Program(command, cwd=cwd, env=env, merged=merged, session=session, takes_input=stdin is not None)
    return program.finish(stdin or b"", seconds, line, patient=patient)


def start(
    command: Command,
    *,
    output: IO[bytes],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    session: bool = False,
) -> subprocess.Popen[bytes]:
    """Starts a program beside us, all its output added to a file. Raises OSError when it cannot start."""
    return subprocess.Popen(
        [os.fspath(part) for part in command],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=session,
    )


def quoted(path: Path | str) -> str:
    """A path as a shell takes it, for advice."""
    return shlex.quote(os.fspath(path))
