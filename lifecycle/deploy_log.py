"""The backend's build and deploy log, shown while the app deploys.

The provider waits in silence and fails without a reason. So a thread of the program reads the deployment's log, prints
new lines, and repeats the last lines when the deployment fails.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
from collections.abc import Awaitable, Callable

import pulumi

from clients.app_platform import AppPlatform, AppPlatformError, Deployment
from errors import STACK, Fix, SetKey, UserError
from lifecycle.errors import describe
from retry import backoff

FOLLOW_SECONDS = 3600.0
GOODBYE_SECONDS = 5.0
TAIL = 25
NAME_TAKEN = "App name already exists"  # DigitalOcean's message, passed on by the provider


class DeployLog:
    """Follows the deployments of the app `name`, from `start` until `stop` or the program's end."""

    def __init__(self, endpoint: str, name: pulumi.Output[str]) -> None:
        self._endpoint = endpoint
        self._declared = name
        self._name = ""
        self._stopped = threading.Event()
        self._shown: dict[str, int] = {}
        self._thread: threading.Thread | None = None

    async def start(self, _args: pulumi.ResourceHookArgs) -> None:
        """Follow each deployment that starts from now on. A before-hook."""
        if self._thread is None:
            self._name = str(await self._declared.future())
            finished = await asyncio.to_thread(self._finished_deployments)  # before anything new can have ended
            self._thread = threading.Thread(target=self._follow, args=(finished,), name="deploy-log", daemon=True)
            self._thread.start()
            atexit.register(self.stop)

    def stop(self) -> None:
        """Show the rest of the log. Waits GOODBYE_SECONDS at most."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(GOODBYE_SECONDS)

    async def failed(self, args: pulumi.ErrorHookArgs) -> bool:
        """Show the rest of the log before the engine ends the program. Return False: no retry. An error-hook."""
        await asyncio.to_thread(self.stop)
        if any(NAME_TAKEN in error for error in args.errors):
            taken = UserError(
                f"Another app of the account has the name {self._name}.",
                SetKey("oracle-net:backend.appName", "NAME"),
                Fix(f"oracle recover {STACK}", "if an interrupted update has made that app"),
            )
            print(describe(taken), file=sys.stderr, flush=True)
        return False

    def then(
        self, hook: Callable[[pulumi.ResourceHookArgs], Awaitable[None]]
    ) -> Callable[[pulumi.ResourceHookArgs], Awaitable[None]]:
        """Return an after-hook that ends the log, then runs `hook`."""

        async def ended(args: pulumi.ResourceHookArgs) -> None:
            await asyncio.to_thread(self.stop)
            await hook(args)

        return ended

    def _follow(self, finished: set[str]) -> None:
        try:
            with AppPlatform(self._endpoint) as platform:
                for _ in backoff(FOLLOW_SECONDS, first=0.2, longest=1.5, sleep=self._pause):
                    last = self._stopped.is_set()
                    self._show_new(platform, finished)
                    if last:
                        return
        except AppPlatformError:
            return  # the log is optional: the provider reports the API's error

    def _pause(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def _finished_deployments(self) -> set[str]:
        try:
            with AppPlatform(self._endpoint) as platform:
                app = platform.find(self._name)
                return {each.id for each in platform.deployments(app["id"]) if each.finished} if app else set()
        except AppPlatformError:
            return set()

    def _show_new(self, platform: AppPlatform, finished: set[str]) -> None:
        app = platform.find(self._name)
        for deployment in platform.deployments(app["id"]) if app else []:
            if app and deployment.id not in finished:
                self._show(platform, app["id"], deployment)
                if deployment.finished:
                    finished.add(deployment.id)

    def _show(self, platform: AppPlatform, app_id: str, deployment: Deployment) -> None:
        lines = platform.log_tail(app_id, deployment.id, lines=100_000).splitlines()
        shown = self._shown.get(deployment.id, 0)
        for line in lines[shown:]:
            print(f"{self._name} | {line}", flush=True)
        self._shown[deployment.id] = len(lines)
        if deployment.phase == "ERROR":
            self._show_failure(deployment.id, lines[-TAIL:])

    def _show_failure(self, deployment_id: str, tail: list[str]) -> None:
        """Print the failure on standard error, which the engine shows even when the program is about to end."""
        headline = f"{self._name}: deployment {deployment_id} failed; the one before it still serves. Its log ends:"
        print("\n".join([headline, *tail]), file=sys.stderr, flush=True)
