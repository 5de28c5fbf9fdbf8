"""The edge's Node process: started, asked over its pipes, and replaced when it ends unexpectedly.

It speaks JSON lines over its standard input and output; secrets travel only there. When this process dies, the Node
process reads the end of its input and ends itself with every workerd. If the Node process was killed, the next start
ends what is left of its process group.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

from localcloud.backoff import attempts
from localcloud.leftovers import Leftovers
from localcloud.worker_spec import Json

log = logging.getLogger(__name__)

SCRIPT = Path(__file__).parent / "edge" / "edge.mjs"
LINE_BYTES = 16 * 1024 * 1024
START_SECONDS = 20.0
STOP_SECONDS = 5.0
BUSY_SECONDS = 3.0
LONGEST_PAUSE = 2.0
PASSED_ON = ("PATH", "HOME", "LANG", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR")


class EdgeError(Exception):
    """The edge could not be started, or an operation failed."""


class WorkerStartError(Exception):
    """A Worker's code does not load; the text is workerd's."""


class Tools(Protocol):
    """The paths of the edge's programs."""

    @property
    def node(self) -> Path: ...
    @property
    def node_modules(self) -> Path: ...


class EdgeProcess:
    """Starts the Node process, sends it operations, and replaces it when it crashes."""

    def __init__(
        self,
        folder: Path,
        port: int,
        tools: Tools,
        traced: Callable[[str, str, list[Json]], None],
        replay: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Use `folder` for files. `traced` receives traces; `replay` sets the state in a process that replaced one."""
        self.port = port
        self.newest_date = ""
        self._folder = folder
        self._traced = traced
        self._replay = replay
        storage = ("--storage", str(folder / "storage"))
        self._node = (str(tools.node), str(SCRIPT), "--node-modules", str(tools.node_modules), *storage)
        self._leftovers = Leftovers(folder / "children.json")
        self._process: asyncio.subprocess.Process | None = None
        self._pending: dict[int, asyncio.Future[Json]] = {}
        self._next = 0
        self._watch: asyncio.Task[None] | None = None
        self._replaying: asyncio.Task[None] | None = None
        self._stopping = False
        self._up = asyncio.Event()
        self._write = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start, and return when 127.0.0.1:port listens. Raises EdgeError, which names the port when it is taken."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clean()
        self._stopping = False
        await self._spawn()
        self._watch = asyncio.create_task(self._supervise())

    async def stop(self) -> None:
        """Stop the Node process and all Workers, and cut running requests. Does nothing when it is not running."""
        self._stopping = True
        process = self._process
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._watch:
            await self._watch
        self._clean()

    async def ask(self, op: str, **rest: Json) -> Json:
        """Send one operation to edge.mjs and return its answer. Raises EdgeError."""
        try:
            await asyncio.wait_for(self._up.wait(), START_SECONDS)
        except TimeoutError:
            raise EdgeError("The edge is not running.") from None
        assert self._process
        assert self._process.stdin
        self._next += 1
        number = self._next
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        line = json.dumps({"id": number, "op": op, **rest}) + "\n"
        try:
            async with self._write:
                self._process.stdin.write(line.encode())
                await self._process.stdin.drain()
        except ConnectionError:
            self._pending.pop(number, None)
            raise EdgeError("The edge stopped while it was working.") from None
        return await future

    async def _spawn(self) -> None:
        failure: str | None = None
        for pause in attempts(0.05, LONGEST_PAUSE, BUSY_SECONDS):
            await asyncio.sleep(pause)
            failure = await self._launch()
            if failure != "EADDRINUSE":
                break
        if failure is not None:
            raise EdgeError(self._start_error(failure))
        self._up.set()

    def _clean(self) -> None:
        self._leftovers.reap()
        shutil.rmtree(self._folder / "tmp", ignore_errors=True)

    def _start_error(self, failure: str) -> str:
        if failure == "EADDRINUSE":
            return (
                f"Port {self.port} on 127.0.0.1 is in use. Fix: stop what listens there, or choose another --edge-port."
            )
        return f"The edge did not start ({failure}). Fix: read {self._folder / 'edge.log'}."

    async def _launch(self) -> str | None:
        with (self._folder / "edge.log").open("ab") as errors:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._node,
                "--port",
                str(self.port),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=LINE_BYTES,
                env=self._environment(),
                cwd=self._folder,
                start_new_session=True,
            )
        self._leftovers.add(process.pid)
        assert process.stdout
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        except TimeoutError:
            line = b""
        first = json.loads(line) if line else {"failed": "no answer"}
        if "ready" in first:
            self.port = int(first["ready"])
            self.newest_date = str(first["newest"])
            return None
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        return str(first["failed"])

    def _environment(self) -> dict[str, str]:
        """Return only the variables that Node needs: workerd inherits them, and must not get our own tokens."""
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        scratch = self._folder / "tmp"
        scratch.mkdir(mode=0o700, exist_ok=True)
        return passed | {"TMPDIR": str(scratch), "NO_COLOR": "1", "NODE_NO_WARNINGS": "1"}

    async def _supervise(self) -> None:
        """Read responses. When the process ends unexpectedly, start a new one and replay the state."""
        while True:
            await self._read()
            self._up.clear()
            for future in self._pending.values():
                if not future.done():
                    future.set_exception(EdgeError("The edge stopped while it was working."))
            self._pending.clear()
            if self._stopping:
                self._process = None
                return
            log.error("the edge stopped unexpectedly; starting another")
            await self._replace()

    async def _read(self) -> None:
        assert self._process
        assert self._process.stdout
        while line := await self._process.stdout.readline():
            answer = json.loads(line)
            if "id" not in answer:
                self._receive_event(answer)
                continue
            future = self._pending.pop(answer["id"], None)
            if future is None or future.done():
                continue
            if "error" not in answer:
                future.set_result(answer["result"])
            elif answer["kind"] == "worker":
                future.set_exception(WorkerStartError(answer["error"]))
            else:
                future.set_exception(EdgeError(answer["error"]))
        await self._process.wait()

    def _receive_event(self, message: Json) -> None:
        traces = message["traces"]
        self._traced(traces["name"], traces["version"], traces["traces"])

    async def _replace(self) -> None:
        """Start another process, however often that fails, and set the state in it."""
        for pause in attempts(0.1, LONGEST_PAUSE):
            await asyncio.sleep(pause)
            if self._stopping:
                return
            self._leftovers.reap()
            try:
                await self._spawn()
            except (EdgeError, OSError) as error:
                log.error("%s", error)
                continue
            self._replaying = asyncio.create_task(self._replay())
            return
