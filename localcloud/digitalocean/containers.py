"""A container: one component of one deployment as a real process, with a disk that lives as long as the container."""

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
from localcloud.image_config import ImageConfig
from localcloud.images import ImageStore
from localcloud.logs import LogFile
from localcloud.processes import Processes, Program

PORTS = range(20000, 30000)  # below the ports that systems give to outgoing connections
LONGEST_GRACE = 10.0
DEFAULT_DRAIN = 15.0
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The PATH for an image that sets none, as in container runtimes."""
_in_use: set[int] = set()


class StartError(Exception):
    """The component's command cannot be executed."""


@dataclass(frozen=True)
class Plan:
    """The container's settings; `env` and the command line come from the spec, `folder` is the deployment's own."""

    service: dict[str, Any]
    digest: str
    env: dict[str, str]
    folder: Path
    pocketbase: Path


class Container:
    """One container: prepare, start, wait until ready, stop. Stopping it twice is allowed."""

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
        """The instance's name in requests for consoles and logs."""
        return f"{self.plan.service['name']}-{self.plan.folder.name[:8]}"

    @property
    def disk(self) -> Path:
        """The component's directory: its image, and all that it writes."""
        return self.plan.folder / "disk"

    @property
    def address(self) -> tuple[str, int]:
        """The address where the program listens."""
        return "127.0.0.1", self.port

    @property
    def running(self) -> bool:
        """Return whether the program runs. It may not be ready yet."""
        return self.program is not None and self.program.running

    @property
    def drain(self) -> float:
        """Seconds that running requests may still take after the traffic has moved."""
        return float(self.plan.service.get("termination", {}).get("drain_seconds", DEFAULT_DRAIN))

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL; App Platform's default of 120 is too long for a laptop."""
        given = self.plan.service.get("termination", {}).get("grace_period_seconds", LONGEST_GRACE)
        return min(float(given), LONGEST_GRACE)

    async def empty(self) -> None:
        """Create a new disk that holds only the image."""
        await asyncio.to_thread(self._images.unpack, self.plan.digest, self.disk)

    async def start(self, log: LogFile) -> None:
        """Run the command on the current disk. Raises StartError when that is impossible."""
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
        """Return the program's working directory."""
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
        """Return the path of an image's program on this container's disk. Raises StartError when it is missing."""
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
        """Return the folders on the image's PATH."""
        named = config.env.get("PATH", DEFAULT_PATH) if config.in_root else ""
        return [self.disk / each.lstrip("/") for each in named.split(":") if each]

    def environment(self) -> dict[str, str]:
        """Return the component's whole environment, without the local cloud's own; PORT and HOST are always ours."""
        config = self._config
        own = [str(folder) for folder in self._folders(config)]
        path = os.pathsep.join([*own, str(self.plan.pocketbase.parent), os.environ.get("PATH", os.defpath)])
        scratch = self.plan.folder / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        base = {"PATH": path, "HOME": str(self.disk), "LANG": "C.UTF-8", "TMPDIR": str(scratch)}
        image = {name: value for name, value in config.env.items() if name != "PATH"}
        return base | image | self.plan.env | {"PORT": str(self.port), "HOST": "127.0.0.1"}

    async def ready(self) -> str:
        """Wait for the health check; return "" when ready, or the reason. A program that ends is not waited for."""
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
        """End the program and its log; the disk stays."""
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
    """Return a loopback port that is unused and given to no other container."""
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
