"""Running apps: the serving containers, their replacement after a crash, the edge's routes, and logs."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any

from localcloud.backoff import attempts, pauses
from localcloud.cloud import Cloud
from localcloud.digitalocean import envs
from localcloud.digitalocean.containers import Container, Plan, StartError
from localcloud.digitalocean.models import App, Deployment, Shelf
from localcloud.images import ImageError
from localcloud.logs import LogBook, LogFile
from localcloud.processes import Processes

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
START_LIMIT = 15.0
SHUTDOWN_GRACE = 5.0
LOG_END = 25
LOG_KINDS = ("build", "deploy", "run")

log = logging.getLogger(__name__)


class Runtime:
    """The container that serves each app; replaces one that crashes."""

    def __init__(self, cloud: Cloud, shelf: Shelf, processes: Processes) -> None:
        self.cloud = cloud
        self.shelf = shelf
        self.processes = processes
        self.book = LogBook(cloud.root / "logs")
        self.containers: dict[str, Container] = {}
        self.interrupted: set[str] = set()
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._retiring: dict[asyncio.Task[None], Container] = {}

    def container(self, app: App, deployment: Deployment) -> Container:
        """Create a deployment's container; its disk and its program do not exist yet."""
        plain = envs.environment(deployment.spec, app.id, self.cloud.vault, envs.RUN)
        bound = {name: _bind(value, app, self.cloud.edge_port) for name, value in plain.items()}
        folder = self.cloud.root / "apps" / app.id / deployment.id
        plan = Plan(deployment.service, deployment.digest, bound, folder, self.cloud.tools.pocketbase)
        return Container(plan, self.cloud.images, self.processes)

    def log_name(self, deployment: Deployment, kind: str) -> str:
        """Return a log's path below the logs folder; kinds: build, deploy, run, run_restarted."""
        return f"{deployment.app_id}/{deployment.id}/{deployment.service['name']}.{kind}.log"

    def log(self, deployment: Deployment, kind: str, secrets: Sequence[str] | None = None) -> LogFile:
        """Open one of a deployment's logs for writing."""
        if secrets is None:
            secrets = envs.secrets(deployment.spec, deployment.app_id, self.cloud.vault)
        return self.book.begin(self.log_name(deployment, kind), deployment.service["name"], secrets)

    def expect_logs(self, deployment: Deployment) -> None:
        """Announce the logs of a waiting deployment, so that they can be followed already."""
        for kind in LOG_KINDS:
            self.book.expect(self.log_name(deployment, kind))

    def settle_logs(self, deployment: Deployment) -> None:
        """End the announcements of a finished deployment: no log of it will start any more."""
        for kind in LOG_KINDS:
            self.book.settle(self.log_name(deployment, kind))

    def log_end(self, deployment: Deployment) -> list[str]:
        """Return the last lines of the run log, without their prefix."""
        path = self.book.folder / self.log_name(deployment, "run")
        if not path.exists():
            return []
        with path.open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n").split(" ", 2)[-1] for line in deque(file, LOG_END)]

    async def route(self, app: App, container: Container | None) -> None:
        """Send an app's hosts to a container; None answers 503."""
        for host in app.hosts:
            await self.cloud.edge.route_app(host, container.address if container else None)

    def serve_from(self, app: App, deployment: Deployment, container: Container) -> None:
        """Make this container serve, then drain and end the one before."""
        old = self.containers.get(app.id)
        self._unwatch(app)
        self.containers[app.id] = container
        self._watch(app, self._supervise(app, deployment, container))
        if old:
            task = asyncio.create_task(self._retire(old))
            self._retiring[task] = old
            task.add_done_callback(lambda done: self._retiring.pop(done, None))

    async def _retire(self, old: Container) -> None:
        """Wait for the running requests on the old container, then end it and delete its disk."""
        old.stopping = True
        try:
            await self.cloud.edge.drained(old.address, old.drain)
        except Exception as error:
            log.warning("draining failed: %s", error)
        await old.discard()

    async def resume(self, app: App, deployment: Deployment) -> None:
        """Start the container that served before a restart, on its disk. The wait for it is limited."""
        container = self.container(app, deployment)
        self.containers[app.id] = container
        if not container.disk.is_dir():
            self.log(deployment, "run").line("the disk is gone: starting with an empty one")
            await container.empty()
        up = asyncio.Event()
        self._watch(app, self._revive(app, deployment, container, up))
        try:
            await asyncio.wait_for(up.wait(), START_LIMIT)
        except TimeoutError:
            log.warning("%s is not healthy yet; it answers 503 until it is", app.name)

    async def _revive(self, app: App, deployment: Deployment, container: Container, up: asyncio.Event) -> None:
        """Start the container again and again on the same disk: a restart of the machine must not lose the data."""
        for pause in attempts(FIRST_PAUSE, LONGEST_PAUSE):
            await asyncio.sleep(pause)
            problem = await self._begin(deployment, container)
            if not problem:
                break
            up.set()
            self.log(deployment, "run").line(f"not healthy after a restart of the local cloud: {problem}")
        await self.route(app, container)
        up.set()
        await self._supervise(app, deployment, container)

    async def _supervise(self, app: App, deployment: Deployment, container: Container) -> None:
        """Replace the container when its program ends, by one with an empty disk, as App Platform does.

        The pause has a second use: when the machine shuts down, the program may end a moment before the local cloud
        does, and that must not lose the data.
        """
        growing = pauses(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            assert container.program
            status = await asyncio.shield(container.program.exited)
            if container.stopping:
                return
            await self.route(app, None)
            pause = next(growing)
            self._crashed(deployment, status, pause)
            await asyncio.sleep(pause)
            await container.empty()
            if problem := await self._begin(deployment, container):
                self.log(deployment, "run").line(f"the new container is not healthy: {problem}")
                continue
            growing = pauses(FIRST_PAUSE, LONGEST_PAUSE)
            await self.route(app, container)

    async def _begin(self, deployment: Deployment, container: Container) -> str:
        """Start the program and wait until it is ready; return "", or the reason after ending it."""
        try:
            await container.start(self.log(deployment, "run"))
            problem = await container.ready()
        except (StartError, ImageError) as error:
            return str(error)
        if problem and container.program:
            await container.program.stop(container.grace)
        return problem

    def _crashed(self, deployment: Deployment, status: int, pause: float) -> None:
        """Log the crash and store the run log as RUN_RESTARTED."""
        run = self.log(deployment, "run")
        run.line(f"the program ended with status {status}; a new container with an empty disk follows in {pause:g} s")
        run.close()
        folder = self.book.folder
        os.replace(folder / self.log_name(deployment, "run"), folder / self.log_name(deployment, "run_restarted"))

    def _watch(self, app: App, watching: Coroutine[Any, Any, None]) -> None:
        self._watchers[app.id] = asyncio.create_task(watching)

    def _unwatch(self, app: App) -> None:
        watcher = self._watchers.pop(app.id, None)
        if watcher:
            watcher.cancel()

    async def remove(self, app: App) -> None:
        """End an app's programs, and delete its disks and logs."""
        self._unwatch(app)
        container = self.containers.pop(app.id, None)
        if container:
            await container.stop()
        for host in app.hosts:
            await self.cloud.edge.drop_app(host)
        for folder in ("apps", "logs"):
            await asyncio.to_thread(shutil.rmtree, self.cloud.root / folder / app.id, ignore_errors=True)

    def sweep(self) -> None:
        """Delete leftovers of a killed run: deployments that do not serve, deleted apps, unfinished builds."""
        apps, root = self.shelf.apps, self.cloud.root
        stale = [folder for kind in ("apps", "logs") for folder in (root / kind).glob("*") if folder.name not in apps]
        for app in apps.values():
            stale += [disk for disk in (root / "apps" / app.id).glob("*") if disk.name != app.active_id]
        for folder in [*stale, root / "builds"]:
            shutil.rmtree(folder, ignore_errors=True)

    async def stop(self) -> None:
        """End all programs; their disks stay for the next start."""
        for watcher in self._watchers.values():
            watcher.cancel()
        retiring = list(self._retiring.items())
        for task, _ in retiring:
            task.cancel()
        everything = [*self.containers.values(), *(old for _, old in retiring)]
        await asyncio.gather(*(container.stop(SHUTDOWN_GRACE) for container in everything))
        self.book.close()


def _bind(value: str, app: App, edge_port: int) -> str:
    """Replace App Platform's bindable variables of an app in a value."""
    known = {"APP_ID": app.id, "APP_DOMAIN": app.host, "APP_URL": f"http://{app.host}:{edge_port}"}
    for name, text in known.items():
        value = value.replace(f"${{{name}}}", text)
    return value
