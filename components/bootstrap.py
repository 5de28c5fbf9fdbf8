"""The backend's way from "deployed" to "usable": the declared release runs, it is healthy, and its admin can log in.

One function, used twice (DESIGN: "The bootstrap is one function"): by the app's hook, so that an admin exists as soon
as the app does, and by `BackendReady`, a resource whose creation and update prove it again. The hook alone would not
do: when it fails, the engine records the app as done and does not run it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from appplatform import AppPlatform, AppPlatformError, ConsoleError, Deployment, run_command
from components.dynamic import Sentence
from components.naming import RELEASE_VARIABLE
from pocketbase import AdminError, Unhealthy, ensure_admin, wait_healthy

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import Settings

DEPLOY_SECONDS = 1800.0


@dataclass(frozen=True, kw_only=True)
class Required:
    """What every usable backend must be."""

    endpoint: str
    """Origin of DigitalOcean's API."""
    service: str
    health_path: str
    console: str
    """The command that makes a superuser; an e-mail address and a password go behind it."""
    release: str
    """The image digest that must run."""
    email: str


@dataclass(frozen=True, kw_only=True)
class Expected(Required):
    """A usable backend, as far as it is known before there is one."""

    password: pulumi.Output[str]

    @classmethod
    def of(cls, endpoint: str, settings: Settings, release: str, password: pulumi.Output[str]) -> Expected:
        backend = settings.backend
        return cls(
            endpoint=endpoint,
            service=backend.service,
            health_path=backend.health_path,
            console=backend.console,
            release=release,
            email=settings.admin_email,
            password=password,
        )


@dataclass(frozen=True, kw_only=True)
class Target(Required):
    """A backend that exists, and everything it must be."""

    password: str
    app_id: str
    url: str

    def __repr__(self) -> str:
        return f"Target({self.url})"


def bootstrap(target: Target) -> bool:
    """Returns once the backend is usable; True when the admin had to be made. Raises Sentence."""
    try:
        with AppPlatform(target.endpoint) as platform:
            _run_declared_release(platform, target)
            wait_healthy(target.url, target.health_path)
            return ensure_admin(target.url, target.email, target.password, _upsert(platform, target))
    except (AppPlatformError, AdminError, ConsoleError, Unhealthy) as error:
        raise Sentence(f"The backend is not ready: {error}") from None


def bootstrap_hook(expected: Expected) -> Callable[[pulumi.ResourceHookArgs], Awaitable[None]]:
    """The same as an after-hook of the app. The engine shows its failure as the update's."""

    async def hook(called: pulumi.ResourceHookArgs) -> None:
        known = {**vars(expected), "password": str(await expected.password.future())}
        target = Target(app_id=called.id, url=(called.new_outputs or {})["liveUrl"], **known)
        try:
            await asyncio.to_thread(bootstrap, target)
        except Sentence as error:
            raise pulumi.RunError(str(error)) from None

    return hook


def runs_declared_release(platform: AppPlatform, target: Target) -> bool:
    """Whether the release that takes traffic is the declared one."""
    return (
        _release(Deployment.of(platform.app(target.app_id).get("active_deployment")), target.service) == target.release
    )


def _run_declared_release(platform: AppPlatform, target: Target) -> None:
    """Waits for, or starts, the deployment of the declared release.

    The provider forgets a refused update and a failed deployment (the recorded plugins: state keeps the new spec), so
    what runs is compared with what is declared. Raises AppPlatformError.
    """
    app = platform.app(target.app_id)
    if _release_of(app.get("spec") or {}, target.service) != target.release:
        raise AppPlatformError(
            "DigitalOcean did not take the last change of the app; send it again: pulumi up --refresh"
        )
    active = Deployment.of(app.get("active_deployment"))
    if _release(active, target.service) == target.release:
        return
    running = Deployment.of(app.get("in_progress_deployment") or app.get("pending_deployment"))
    deployment = running or platform.deploy_again(target.app_id)
    platform.wait(target.app_id, deployment.id, DEPLOY_SECONDS)


def _release(deployment: Deployment | None, service: str) -> str | None:
    return _release_of(deployment.spec, service) if deployment else None


def _release_of(spec: dict[str, Any], service: str) -> str | None:
    component = next((each for each in spec.get("services") or [] if each["name"] == service), None)
    envs = (component or {}).get("envs") or []
    return next((str(env.get("value")) for env in envs if env["key"] == RELEASE_VARIABLE), None)


def _upsert(platform: AppPlatform, target: Target) -> Callable[[str, str], None]:
    def upsert(email: str, password: str) -> None:
        url = platform.console_url(target.app_id, target.service)
        result = run_command(url, [*target.console.split(), email, password])
        if result.status != 0:
            output = result.output.replace(password, "[password]").strip()[-500:]
            raise AdminError(f"`{target.console}` ended with status {result.status} in the backend's console: {output}")

    return upsert
