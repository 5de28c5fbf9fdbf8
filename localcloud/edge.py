"""The HTTP edge: it receives every request for apps and Workers, in a Node process of its own.

`Edge` remembers the hosts, upstreams and running versions that it set, and sets them again in a new Node process after
a crash.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from localcloud.edge_process import EdgeError, EdgeProcess, Tools, WorkerStartError
from localcloud.worker_spec import Json, WorkerInfo, WorkerSpec

log = logging.getLogger(__name__)

Address = tuple[str, int]
Share = tuple[str, float]


class Edge:
    """Controls the Node process and its state. There is one instance for each local cloud."""

    def __init__(self, root: Path, port: int, tools: Tools) -> None:
        """Use `root`/edge for files. Port 0 picks a free port, which `port` holds after `start`."""
        self.traced: Callable[[str, str, list[Json]], None] = lambda *_: None
        """Receives the traces of the followed Workers' invocations."""
        self._process = EdgeProcess(root / "edge", port, tools, self._traced, self._replay)
        self._followed: set[str] = set()
        self._apps: dict[str, Address | None] = {}
        self._specs: dict[tuple[str, str], WorkerSpec] = {}
        self._shares: dict[str, list[Share]] = {}
        self._hosts: dict[str, list[str]] = {}

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return self._process.port

    @property
    def newest_date(self) -> str:
        """The newest compatibility date that the runtime supports; "" before the first start."""
        return self._process.newest_date

    @property
    def pid(self) -> int | None:
        """The Node process's id while it runs."""
        return self._process.pid

    async def start(self) -> None:
        """Start, and return when 127.0.0.1:port listens. Raises EdgeError, which names the port when it is taken."""
        await self._process.start()

    async def stop(self) -> None:
        """Stop the Node process and all Workers, and cut running requests. Does nothing when it is not running."""
        await self._process.stop()

    async def ask(self, op: str, **rest: Json) -> Json:
        """Send one operation to edge.mjs and return its answer. Raises EdgeError."""
        return await self._process.ask(op, **rest)

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

    def _traced(self, name: str, version: str, traces: list[Json]) -> None:
        self.traced(name, version, traces)

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
