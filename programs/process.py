"""Run programs as child processes, or start them in the background.

A program has ended when its own process has ended. We do not wait for background processes that it leaves behind, even
if they still have its output open. Output is bytes of any kind.
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
PIPE_LIMIT = 1024 * 1024  # bytes: the largest pipe of an ordinary user, so all output of an ended program is within it
GRACE = 5.0  # seconds between SIGTERM and SIGKILL

Command = Sequence[str | Path]
Line = Callable[[bytes], object]


class OutOfTime(subprocess.TimeoutExpired):
    """The program did not end in time and was stopped."""


@dataclass(frozen=True)
class Done:
    """The exit status and the output of a program that has ended."""

    status: int
    output: bytes = b""
    errors: str = ""

    @property
    def text(self) -> str:
        """The output as text. Invalid UTF-8 is replaced."""
        return self.output.decode(errors="replace").rstrip("\n")

    @property
    def names(self) -> str:
        """The output as file names. Bytes that are no text are escaped, so that each name opens its file."""
        return os.fsdecode(self.output).rstrip("\n")


class Program:
    """A running program whose output we read.

    `merged` adds its standard error to its output. `session` gives it a session of its own: Ctrl-C at the terminal does
    not reach it, it cannot ask questions there, and `end` also ends its children. Raises OSError when it cannot start.
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
        """Wait until the program ends. If there is `line`, it gets each line at once, and `Done` has no output.

        Raises OutOfTime. Before any exception is raised, the program is ended. With `patient`, Ctrl-C does not end it:
        the terminal sent it the same signal, so we wait for it.
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
        """Send a signal to the program, or to its whole session if it has its own. Does nothing after its end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._session:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)

    def end(self) -> None:
        """Send SIGTERM, wait GRACE seconds, then send SIGKILL."""
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
    """The input and output of a running program."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, line: Line | None) -> None:
        self.selector = selectors.DefaultSelector()
        self.output, self.errors = bytearray(), bytearray()
        self._line, self._unsent = line, memoryview(stdin)
        self._sinks = [(process.stdout, self._add_output), (process.stderr, self.errors.extend)]
        for pipe, sink in self._sinks:
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self.selector.register(pipe, selectors.EVENT_READ, sink)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            self.selector.register(process.stdin, selectors.EVENT_WRITE, self._write_input)

    def move(self, ready: list[selectors.SelectorKey]) -> None:
        """Read or write once on each pipe that is ready."""
        for key in ready:
            if key.data == self._write_input:
                self._write_input(key.fileobj)  # type: ignore[arg-type]
            elif not self._read(key.fd, key.data):
                self.selector.unregister(key.fileobj)

    def drain(self) -> None:
        """Read the rest of an ended program's output, up to PIPE_LIMIT: its children may still write to the pipes."""
        for pipe, sink in self._sinks:
            total = 0
            while pipe is not None and total < PIPE_LIMIT and (count := self._read(pipe.fileno(), sink)):
                if count < 0:
                    break
                total += count
        if self._line is not None and self.output:
            self._line(bytes(self.output))
            self.output.clear()

    def _read(self, pipe: int, sink: Callable[[bytes], object]) -> int:
        """Read once and return the number of bytes; 0 at the end of the pipe, -1 if nothing is available now."""
        try:
            chunk = os.read(pipe, CHUNK)
        except BlockingIOError:
            return -1
        sink(chunk)
        return len(chunk)

    def _add_output(self, chunk: bytes) -> None:
        self.output += chunk
        if self._line is None or b"\n" not in chunk:
            return
        *whole, rest = bytes(self.output).split(b"\n")
        self.output[:] = rest
        for each in whole:
            self._line(each)

    def _write_input(self, pipe: IO[bytes]) -> None:
        try:
            self._unsent = (
                self._unsent[os.write(pipe.fileno(), self._unsent[:CHUNK]) :] if self._unsent else self._unsent
            )
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unsent = memoryview(b"")
        if not self._unsent:
            self.selector.unregister(pipe)
            pipe.close()


@contextlib.contextmanager
def _end_of(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """Yield a file descriptor that becomes readable when the process ends."""
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
    """Run a program and return its status and output. `env` is its whole environment; None is ours.

    Raises OutOfTime, and OSError when it cannot start. The other parameters are those of `Program`.
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
    """Start a program in the background and append its output to a file. Raises OSError when it cannot start."""
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
    """Return a path quoted for a shell, for use in messages."""
    return shlex.quote(os.fspath(path))
