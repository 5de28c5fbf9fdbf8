"""A container: one component of one deployment as a real process, on a disk that lives as long as the container."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from localcloud.health import HealthCheck
from localcloud.imageconfig import ImageConfig
from localcloud.images import ImageStore
from localcloud.logs import LogFile
from localcloud.processes import Processes, Program

PORTS = range(20000, 30000)  # below the ports that systems give to outgoing connections
LONGEST_GRACE = 10.0
DEFAULT_DRAIN = 15.0
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Of an image that sets none, as container runtimes do."""
_in_use: set[int] = set()


class StartError(Exception):
    """The component's command cannot be executed."""


@dataclass(frozen=True)
class Plan:
    """All that a container needs; `env` and the command line come from the spec, `folder` is the deployment's own."""

    service: dict[str, Any]
    digest: str
    env: dict[str, str]
    folder: Path
    pocketbase: Path


class Container:
    """Prepare, start, wait until ready, stop. Stopping it twice is as good as once."""

    def __init__(self, plan: Plan, images: ImageStore, processes: Processes) -> None:
        self.plan = plan
        self._images = images
        self._processes = processes
        self.port = 0
        self.program: Program | None = None
        self._log: LogFile | None = None
        self.stopping = False

    @property
    def name(self) -> str:
        """The instance's name, as consoles and logs ask for it."""
        return f"{self.plan.service['name']}-{self.plan.folder.name[:8]}"

    @property
    def disk(self) -> Path:
        """The component's directory: its image, and whatever it writes."""
        return self.plan.folder / "disk"

    @property
    def address(self) -> tuple[str, int]:
        """Where the program listens."""
        return "127.0.0.1", self.port

    @property
    def running(self) -> bool:
        """Is the program there? It may still not be ready."""
        return self.program is not None and self.program.running

    @property
    def drain(self) -> float:
        """Seconds that requests under way may still take once traffic has moved."""
        return float(self.plan.service.get("termination", {}).get("drain_seconds", DEFAULT_DRAIN))

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL; App Platform's default of 120 is too long for a laptop."""
        given = self.plan.service.get("termination", {}).get("grace_period_seconds", LONGEST_GRACE)
        return min(float(given), LONGEST_GRACE)

    async def empty(self) -> None:
        """Give it a new disk that holds nothing but the image."""
        await asyncio.to_thread(self._images.unpack, self.plan.digest, self.disk)

    async def start(self, log: LogFile) -> None:
        """Run the command on the disk as it is; StartError when that is impossible."""
        _in_use.discard(self.port)
        self.port = free_port()
        self._log = log
        command = self._command()
        try:
            self.program = await self._processes.start(command, self.workdir, self.environment(), log.line)
        except OSError as error:
            raise StartError(f"cannot run {command[0]!r}: {error.strerror or error}") from error

    @property
    def workdir(self) -> Path:
        """Where the program starts."""
        return self.disk / self._config.workdir

    @cached_property
    def _config(self) -> ImageConfig:
        return self._images.config(self.plan.digest)

    def _command(self) -> list[str]:
        if given := self.plan.service.get("run_command"):
            return ["/bin/sh", "-c", given]
        config = self._config
        first, *rest = config.cmd
        return [self._in_root(first, config), *rest] if config.in_root else [first, *rest]

    def _in_root(self, program: str, config: ImageConfig) -> str:
        """A program of a registry's image on this container's disk. StartError when the image does not have it."""
        if program.startswith("/"):
            places = [self.disk / program.lstrip("/")]
        elif "/" in program:
            places = [self.workdir / program]
        else:
            places = [folder / program for folder in self._folders(config)]
        if found := next((place for place in places if place.is_file()), None):
            return str(found)
        raise StartError(f"cannot run {program!r}: the image does not have it")

    def _folders(self, config: ImageConfig) -> list[Path]:
        """Where the image has its programs."""
        named = config.env.get("PATH", DEFAULT_PATH) if config.in_root else ""
        return [self.disk / each.lstrip("/") for each in named.split(":") if each]

    def environment(self) -> dict[str, str]:
        """The component's whole environment: nothing of the local cloud's own, and PORT and HOST always ours."""
        config = self._config
        own = [str(folder) for folder in self._folders(config)]
        path = os.pathsep.join([*own, str(self.plan.pocketbase.parent), os.environ.get("PATH", os.defpath)])
        scratch = self.plan.folder / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        base = {"PATH": path, "HOME": str(self.disk), "LANG": "C.UTF-8", "TMPDIR": str(scratch)}
        image = {name: value for name, value in config.env.items() if name != "PATH"}
        return base | image | self.plan.env | {"PORT": str(self.port), "HOST": "127.0.0.1"}

    async def ready(self) -> str:
        """Wait for the health check: "" when ready, or why not; a program that ends is not waited for."""
        assert self.program
        checking = asyncio.ensure_future(HealthCheck.of(self.plan.service).wait(self.port))
        try:
            await asyncio.wait({checking, self.program.exited}, return_when=asyncio.FIRST_COMPLETED)
            if self.program.exited.done():
                return f"the program ended with status {self.program.exited.result()}"
            return checking.result()
        finally:
            checking.cancel()

    async def stop(self, grace: float | None = None) -> None:
        """End the program and its log; its disk stays."""
        self.stopping = True
        if self.program:
            await self.program.stop(self.grace if grace is None else grace)
        if self._log:
            self._log.close()
        _in_use.discard(self.port)

    async def discard(self) -> None:
        """End the program and delete its disk."""
        await self.stop()
        await asyncio.to_thread(shutil.rmtree, self.plan.folder, ignore_errors=True)


def free_port() -> int:
    """A loopback port that nobody uses and no other container was given."""
    for port in random.sample(PORTS, 200):
        if port in _in_use:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _in_use.add(port)
        return port
    raise StartError("no free port on 127.0.0.1 between 20000 and 29999")
