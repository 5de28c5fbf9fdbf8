"""Programs that the local cloud runs: each in its own process group, its output captured, ended as a group.

Each running program is recorded, so that the next start can end those of a killed local cloud.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from localcloud.leftovers import Leftovers

LINE_BYTES = 1024 * 1024
Sink = Callable[[str], None]


class Processes:
    """Starts programs and records them."""

    def __init__(self, leftovers: Leftovers) -> None:
        self._leftovers = leftovers

    async def start(self, command: Sequence[str], cwd: Path, env: Mapping[str, str], sink: Sink) -> Program:
        """Run a command and pass every line of its output to `sink`. Raises OSError when it cannot be started."""
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env=dict(env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LINE_BYTES,
            start_new_session=True,
        )
        self._leftovers.add(process.pid)
        return Program(process, sink, self._leftovers.remove)

    def reap(self) -> int:
        """Kill the programs of an earlier run with all members of their groups; return the number of processes."""
        return self._leftovers.reap()


@contextlib.contextmanager
def background(command: Sequence[str], cwd: Path) -> Iterator[None]:
    """Run a program beside the block, with this process's output; SIGTERM ends it with the block."""
    with subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def end_session(leader: int) -> None:
    """Kill every process of a terminal's session, also background ones that ignore its end."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == leader:
                process.kill()


class Program:
    """A running program. `exited` is set once it and its output have ended."""

    def __init__(self, process: asyncio.subprocess.Process, sink: Sink, forget: Callable[[int], None]) -> None:
        self._process = process
        self._sink = sink
        self._forget = forget
        self._reading = asyncio.create_task(self._read())
        self.exited = asyncio.create_task(self._wait())

    @property
    def pid(self) -> int:
        """The process id, which is also the process group's."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Return whether the leader still runs."""
        return self._process.returncode is None

    async def _read(self) -> None:
        assert self._process.stdout
        while True:
            try:
                line = await self._process.stdout.readline()
            except ValueError:  # longer than LINE_BYTES: the buffer has been dropped
                line = b"(a line longer than 1 MiB was dropped)\n"
            if not line:
                return
            self._sink(line.decode(errors="replace").rstrip("\n"))

    async def _wait(self) -> int:
        status = await self._process.wait()
        self._signal(signal.SIGKILL)  # members of the group that outlived the leader and keep its output open
        await self._reading
        self._forget(self.pid)
        return status

    async def stop(self, grace: float) -> None:
        """Send SIGTERM to the group, SIGKILL after `grace` seconds, and return when it has ended."""
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(self.exited), grace)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.exited

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
