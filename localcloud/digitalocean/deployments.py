"""Deployments from PENDING_BUILD to ACTIVE, one at a time for each app.

The new container starts beside the old one and gets the traffic when it is healthy; then the old one is drained and
ended. When a deployment fails, the old one keeps serving. A deployment that a restart of the local cloud interrupted
starts again from its first step.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field

from localcloud.digitalocean import envs
from localcloud.digitalocean.builds import Builder, StepFailed
from localcloud.digitalocean.containers import Container, StartError
from localcloud.digitalocean.models import (
    ACTIVE,
    BUILDING,
    CANCELED,
    DEPLOYING,
    ERROR,
    PENDING_BUILD,
    PENDING_DEPLOY,
    SUPERSEDED,
    App,
    Deployment,
)
from localcloud.digitalocean.runtime import Runtime
from localcloud.images import ImageError
from localcloud.logs import LogFile

log = logging.getLogger(__name__)


@dataclass
class Deployer:
    """Processes each app's deployments; the newest waiting one wins, older waiting ones are superseded."""

    runtime: Runtime
    builder: Builder
    _workers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _current: dict[str, tuple[Deployment, asyncio.Task[None]]] = field(default_factory=dict)

    def wake(self, app: App) -> None:
        """Notify of a new deployment."""
        worker = self._workers.get(app.id)
        if worker is None or worker.done():
            self._workers[app.id] = asyncio.create_task(self._work(app))

    def current(self, app: App) -> Deployment | None:
        """Return the deployment in progress."""
        current = self._current.get(app.id)
        return current[0] if current else None

    async def cancel(self, app: App, deployment: Deployment) -> None:
        """Cancel a deployment that waits or is in progress."""
        current = self._current.get(app.id)
        if current and current[0] is deployment:
            current[1].cancel()
            await asyncio.wait({current[1]})
        else:
            self._finish(deployment, CANCELED)

    async def stop(self, app: App | None = None) -> None:
        """Stop processing (for one app); deployments stay in their phase."""
        ids = [app.id] if app else list(self._workers)
        workers = [self._workers.pop(each) for each in ids if each in self._workers]
        for worker in workers:
            worker.cancel()
        if workers:
            await asyncio.wait(workers)

    async def _work(self, app: App) -> None:
        while deployment := self._next(app):
            task = asyncio.create_task(self._run(app, deployment))
            self._current[app.id] = (deployment, task)
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                self.runtime.interrupted.add(deployment.id)
                task.cancel()
                await asyncio.wait({task})
                raise
            finally:
                del self._current[app.id]

    def _next(self, app: App) -> Deployment | None:
        waiting = [each for each in self.runtime.shelf.deployments(app.id) if each.phase == PENDING_BUILD]
        for older in waiting[1:]:
            self._finish(older, SUPERSEDED)
        return waiting[0] if waiting else None

    async def _run(self, app: App, deployment: Deployment) -> None:
        work = Work(self.runtime, self.builder, app, deployment)
        try:
            await work.build()
            container = await work.deploy()
            await self._activate(app, deployment, container)
        except StepFailed as failure:
            self._fail(work, failure.code, failure.message)
        except asyncio.CancelledError:
            if deployment.id not in self.runtime.interrupted:
                self._fail(work, "DeploymentCanceled", "the deployment was canceled", CANCELED)
        except Exception:
            log.exception("deployment %s failed unexpectedly", deployment.id)
            self._fail(work, "InternalError", "the local cloud failed: see its log")
        finally:
            work.end()

    async def _activate(self, app: App, deployment: Deployment, container: Container) -> None:
        """Move the traffic. After that has started, a cancellation is ignored."""
        switching = asyncio.create_task(self._switch(app, deployment, container))
        try:
            await asyncio.shield(switching)
        except asyncio.CancelledError:
            await switching
        except Exception:
            old = self.runtime.containers.get(app.id)
            await self.runtime.route(app, old if old and old.running else None)
            await container.discard()
            raise

    async def _switch(self, app: App, deployment: Deployment, container: Container) -> None:
        runtime, progress = self.runtime, deployment.progress
        await runtime.route(app, container)
        final = progress.leaf("deploy", "finalize")
        progress.begin(final)
        progress.succeed(final)
        old = runtime.shelf.active(app)
        deployment.enter(ACTIVE)
        app.active_id, app.active_at = deployment.id, deployment.phase_at
        changed: list[App | Deployment] = [app, deployment]
        if old:
            old.enter(SUPERSEDED)
            changed.append(old)
        runtime.shelf.save(*changed)
        runtime.settle_logs(deployment)
        runtime.serve_from(app, deployment, container)

    def _fail(self, work: Work, code: str, message: str, phase: str = ERROR) -> None:
        work.note(message)
        work.deployment.progress.fail(code, message)
        self._finish(work.deployment, phase)

    def _finish(self, deployment: Deployment, phase: str) -> None:
        deployment.enter(phase)
        self.runtime.shelf.save(deployment)
        self.runtime.settle_logs(deployment)


class Work:
    """One run of one deployment: its steps, logs and, until it serves, its container."""

    def __init__(self, runtime: Runtime, builder: Builder, app: App, deployment: Deployment) -> None:
        self.runtime = runtime
        self.builder = builder
        self.app = app
        self.deployment = deployment
        self._secrets = envs.secrets(deployment.spec, app.id, runtime.cloud.vault)
        self._log: LogFile | None = None

    def note(self, text: str) -> None:
        """Write a line to the log of the phase."""
        if self._log is None or not self._log.open:
            self._log = self.runtime.log(self.deployment, "build", self._secrets)
        self._log.line(text)

    def end(self) -> None:
        """Close the phase's log."""
        if self._log:
            self._log.close()

    async def build(self) -> None:
        """Run the phase BUILDING, which sets the digest of the deployment's image."""
        deployment, progress = self.deployment, self.deployment.progress
        self._enter(BUILDING, "build")
        prepare = progress.leaf("build", "initialize")
        progress.begin(prepare)
        progress.succeed(prepare)
        step = progress.leaf("build", "components", deployment.service["name"])
        progress.begin(step)
        await self._fault("build", "BuildFailed")
        assert self._log
        env = envs.environment(deployment.spec, self.app.id, self.runtime.cloud.vault, envs.BUILD)
        await self.builder.build(deployment, env, self._log)
        progress.succeed(step)
        self.note("build done")
        self._enter(PENDING_DEPLOY, "deploy")

    async def deploy(self) -> Container:
        """Run the phase DEPLOYING, and return a healthy container that gets no traffic yet."""
        deployment, progress = self.deployment, self.deployment.progress
        self._enter(DEPLOYING, "deploy")
        prepare = progress.leaf("deploy", "initialize")
        progress.begin(prepare)
        container = self.runtime.container(self.app, deployment)
        run_log = self.runtime.log(deployment, "run", self._secrets)
        try:
            await self._empty(container)
            progress.succeed(prepare)
            await self._start(container, run_log)
            await self._wait(container)
        except BaseException:
            await asyncio.shield(asyncio.create_task(container.discard()))
            run_log.close()  # also when the program was never started
            raise
        return container

    async def _empty(self, container: Container) -> None:
        try:
            await container.empty()
        except (ImageError, OSError) as error:
            raise StepFailed("ImageUnpackFailed", f"the image cannot be unpacked: {error}") from error

    async def _start(self, container: Container, run_log: LogFile) -> None:
        deployment, progress = self.deployment, self.deployment.progress
        step = progress.leaf("deploy", "components", deployment.service["name"], "deploy")
        progress.begin(step)
        await self._fault("deploy", "DeployFailed")
        self.note("starting a container with an empty disk")
        try:
            await container.start(run_log)
        except (StartError, ImageError) as error:
            raise StepFailed("DeployContainerCommandNotExecutable", str(error)) from error
        progress.succeed(step)

    async def _wait(self, container: Container) -> None:
        deployment, progress = self.deployment, self.deployment.progress
        step = progress.leaf("deploy", "components", deployment.service["name"], "wait")
        progress.begin(step)
        self.runtime.shelf.save(deployment)
        await self._fault("health", "DeployContainerHealthChecksFailed")
        if problem := await container.ready():
            ended = "ended" in problem
            code = "DeployContainerExitNonZero" if ended else "DeployContainerHealthChecksFailed"
            self.note("the run log ends:")
            for line in self.runtime.log_end(deployment):
                self.note(f"  {line}")
            raise StepFailed(code, f"the container is not healthy: {problem}")
        progress.succeed(step)
        self.note("the container is healthy")

    def _enter(self, phase: str, kind: str) -> None:
        """Enter the next phase, save it at once, and open its log."""
        self.deployment.enter(phase)
        self.runtime.shelf.save(self.deployment)
        self.end()
        self._log = self.runtime.log(self.deployment, kind, self._secrets)

    async def _fault(self, step: str, code: str) -> None:
        fault = self.runtime.cloud.faults.take_step(self.app.name, step)
        if fault is None:
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.sleep(fault.delay)
        if fault.fails:
            raise StepFailed(code, fault.message or f"fault: the {step} step fails on request")
