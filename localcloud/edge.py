"""The Python side of the HTTP edge: a Node process that receives every request for apps and Workers.

`Edge` remembers the hosts, upstreams and running versions that it set, so that it can restore them in a new Node
process after a crash. It speaks JSON lines over the child's standard input and output; secrets travel only there. When
this process dies, the child reads the end of its input and ends itself with every workerd. If the child was killed, the
next start finds its children by process id and creation time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from localcloud.leftovers import Leftovers

log = logging.getLogger(__name__)

Address = tuple[str, int]
Share = tuple[str, float]
Json = Any

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


@dataclass(frozen=True, kw_only=True)
class Module:
    """One module of an uploaded script. `kind` is Miniflare's: ESModule, CommonJS, Text, Data, CompiledWasm, Script."""

    name: str
    kind: str
    file: Path


@dataclass(frozen=True, kw_only=True)
class Assets:
    """A folder of files; `config` may have html_handling, not_found_handling, run_worker_first (bool or list)."""

    directory: Path
    binding: str | None = None
    config: Mapping[str, Json] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    """Content types by the files' paths in the folder: "" for no type. Files not listed here get theirs from the name.
    """


@dataclass(frozen=True, kw_only=True)
class WorkerSpec:
    """A version to run. The first module is the main one; without modules it serves assets only."""

    modules: Sequence[Module]
    compatibility_date: str
    log: Path
    compatibility_flags: Sequence[str] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Mapping[str, Json] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    storage: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Storage bindings by name: the kind ("kv") and the id of the namespace."""
    objects: Mapping[str, str] = field(default_factory=dict)
    """Durable Object classes and the ids of their namespaces. Only one version at a time can have them."""
    object_bindings: Mapping[str, str] = field(default_factory=dict)
    """The class of each Durable Object binding, by the binding's name."""
    assets: Assets | None = None
    cpu_ms: int | None = None
    """Processor time that a request may use; None means Cloudflare's default."""

    def wire(self) -> dict[str, Json]:
        """Return the form that edge.mjs reads."""
        assets = self.assets and {
            "directory": str(self.assets.directory),
            "binding": self.assets.binding,
            "config": dict(self.assets.config),
            "types": dict(self.assets.types),
        }
        return {
            "modules": [{"name": m.name, "kind": m.kind, "file": str(m.file)} for m in self.modules],
            "compatibility_date": self.compatibility_date,
            "compatibility_flags": list(self.compatibility_flags),
            "texts": dict(self.texts),
            "secrets": dict(self.secrets),
            "json": dict(self.json),
            "services": dict(self.services),
            "storage": dict(self.storage),
            "objects": dict(self.objects),
            "object_bindings": dict(self.object_bindings),
            "assets": assets,
            "cpu_ms": self.cpu_ms,
            "log": str(self.log),
        }


@dataclass(frozen=True, kw_only=True)
class WorkerInfo:
    """The exports of a loaded module: the default export's handlers, and [{name, handlers}] of the others."""

    handlers: list[str]
    named: list[dict[str, Json]]
    startup_ms: int


class Tools(Protocol):
    """The paths of the edge's programs."""

    @property
    def node(self) -> Path: ...
    @property
    def node_modules(self) -> Path: ...


class Edge:
    """Starts, controls and replaces the Node process. There is one instance for each local cloud."""

    def __init__(self, root: Path, port: int, tools: Tools) -> None:
        """Use `root`/edge for files. Port 0 picks a free port, which `port` holds after `start`."""
        self.port = port
        self.newest_date = ""
        """The newest compatibility date that the runtime supports; known once it has started."""
        self.traced: Callable[[str, str, list[Json]], None] = lambda *_: None
        """Receives the traces of the followed Workers' invocations."""
        self._followed: set[str] = set()
        self._state = root / "edge"
        storage = ("--storage", str(self._state / "storage"))
        self._node = (str(tools.node), str(SCRIPT), "--node-modules", str(tools.node_modules), *storage)
        self._leftovers = Leftovers(self._state / "children.json")
        self._process: asyncio.subprocess.Process | None = None
        self._pending: dict[int, asyncio.Future[Json]] = {}
        self._next = 0
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False
        self._up = asyncio.Event()
        self._write = asyncio.Lock()
        self._apps: dict[str, Address | None] = {}
        self._specs: dict[tuple[str, str], WorkerSpec] = {}
        self._shares: dict[str, list[Share]] = {}
        self._hosts: dict[str, list[str]] = {}

    @property
    def pid(self) -> int | None:
        """The Node process's id while it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start, and return when 127.0.0.1:port listens. Raises EdgeError, which names the port when it is taken."""
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
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

    async def route_app(self, host: str, upstream: Address | None) -> None:
        """Send new requests for `host` to `upstream`. Running requests finish on the old one. None means 503."""
        self._apps[host] = upstream
        await self.ask("route", host=host, upstream=upstream)

    async def drop_app(self, host: str) -> None:
        """Remove an app's host: it answers 404 like an unknown host."""
        self._apps.pop(host, None)
        await self.ask("drop", host=host)

    async def drained(self, upstream: Address, seconds: float) -> bool:
        """Wait up to `seconds` for the requests on `upstream` to finish; return False when some are still running."""
        return bool(await self.ask("drained", upstream=upstream, seconds=seconds))

    async def load_worker(self, name: str, version: str, spec: WorkerSpec) -> WorkerInfo:
        """Start a version without giving it traffic. Raises WorkerStartError."""
        answer = await self.ask("start", name=name, version=version, spec=spec.wire())
        self._record()
        return WorkerInfo(handlers=answer["handlers"], named=answer["named"], startup_ms=answer["ms"])

    async def unload_worker(self, name: str, version: str) -> None:
        """Stop a version that has no traffic; do nothing for one that has."""
        await self.ask("discard", name=name, version=version)

    async def deploy_worker(self, name: str, version: str, spec: WorkerSpec) -> WorkerInfo:
        """Start a version, move all traffic to it, drain the others. Raises WorkerStartError and then moves nothing."""
        info = await self.load_worker(name, version, spec)
        await self._activate(name, {version: spec}, [(version, 100.0)])
        return info

    async def share_worker(self, name: str, specs: Mapping[str, WorkerSpec], shares: Sequence[Share]) -> None:
        """Split a Worker's traffic between several versions: [(version, percentage)]. All are started first."""
        for version, _ in shares:
            await self.load_worker(name, version, specs[version])
        await self._activate(name, specs, shares)

    async def set_worker_hosts(self, name: str, hosts: list[str]) -> None:
        """Set a Worker's addresses; they replace the earlier ones."""
        self._hosts[name] = list(hosts)
        await self.ask("hosts", name=name, hosts=hosts)

    async def deliver(self, name: str, event: Mapping[str, Json]) -> dict[str, Json]:
        """Deliver an event to the Worker's serving version; return {"outcome": "ok"} when its handler succeeded.

        Raises EdgeError when no version serves, or none answers.
        """
        return dict(await self.ask("deliver", name=name, event=dict(event)))

    async def follow_worker(self, name: str, wanted: bool) -> None:
        """Turn the calls of `traced` for a Worker's new invocations on or off."""
        (self._followed.add if wanted else self._followed.discard)(name)
        await self.ask("follow", name=name, wanted=wanted)

    async def remove_worker(self, name: str) -> None:
        """Stop a Worker and remove its addresses."""
        self._hosts.pop(name, None)
        self._shares.pop(name, None)
        self._specs = {key: spec for key, spec in self._specs.items() if key[0] != name}
        await self.ask("remove", name=name)

    async def _activate(self, name: str, specs: Mapping[str, WorkerSpec], shares: Sequence[Share]) -> None:
        """Record the new state before the request: a replay at the same moment must not restore the old state."""
        before = self._specs, self._shares.get(name)
        others = {key: spec for key, spec in self._specs.items() if key[0] != name}
        self._specs = others | {(name, version): specs[version] for version, _ in shares}
        self._shares[name] = mine = list(shares)
        wire = [{"version": version, "percentage": percentage} for version, percentage in shares]
        try:
            await self.ask("activate", name=name, shares=wire)
        except EdgeError:
            if self._shares.get(name) is mine and before[1] is not None:
                self._specs, self._shares[name] = before[0], before[1]
            raise

    async def _spawn(self) -> None:
        deadline = asyncio.get_running_loop().time() + BUSY_SECONDS
        pause = 0.05
        while True:
            failure = await self._launch()
            if failure is None:
                break
            if failure != "EADDRINUSE" or asyncio.get_running_loop().time() > deadline:
                raise EdgeError(self._sentence(failure))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        self._record()
        self._up.set()

    def _clean(self) -> None:
        self._leftovers.reap()
        shutil.rmtree(self._state / "tmp", ignore_errors=True)

    def _sentence(self, failure: str) -> str:
        if failure == "EADDRINUSE":
            return f"Port {self.port} on 127.0.0.1 is in use: stop what listens there or choose another --edge-port."
        return f"The edge did not start ({failure}): see {self._state / 'edge.log'}."

    async def _launch(self) -> str | None:
        with (self._state / "edge.log").open("ab") as errors:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._node,
                "--port",
                str(self.port),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=LINE_BYTES,
                env=self._environment(),
                cwd=self._state,
                start_new_session=True,
            )
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
        scratch = self._state / "tmp"
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
            log.error("the edge stopped unasked; starting another")
            await self._again()

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
        if "restarted" in message:
            self._record()
            return
        traces = message["traces"]
        self.traced(traces["name"], traces["version"], traces["traces"])

    async def _again(self) -> None:
        pause = 0.1
        while not self._stopping:
            self._leftovers.reap()
            try:
                await self._spawn()
            except (EdgeError, OSError) as error:
                log.error("%s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            self._replaying = asyncio.create_task(self._replay())
            return

    async def _replay(self) -> None:
        with contextlib.suppress(EdgeError):
            for host, upstream in list(self._apps.items()):
                await self.ask("route", host=host, upstream=upstream)
            for name in list(self._followed):
                await self.ask("follow", name=name, wanted=True)
            for name, hosts in list(self._hosts.items()):
                await self.ask("hosts", name=name, hosts=hosts)
            for name, shares in list(self._shares.items()):
                await self._restore(name, shares)

    async def _restore(self, name: str, shares: list[Share]) -> None:
        specs = {version: self._specs[name, version] for version, _ in shares}
        try:
            for version, spec in specs.items():
                await self.load_worker(name, version, spec)
        except WorkerStartError as error:
            log.error("Worker %s did not start again: %s", name, error)
            return
        if self._shares.get(name) is shares:
            await self._activate(name, specs, shares)

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

    def _record(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            node = psutil.Process(self._process.pid)
            self._leftovers.record([node, *node.children(recursive=True)])
