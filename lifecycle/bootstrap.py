"""Make a deployed backend usable: the declared release runs, it is healthy, its admin and our operator can log in.

One function, used twice: by the app's hook, so that an admin exists as soon as the app does, and by `BackendReady`, a
resource whose creation and update prove it again. The hook alone would not do: when it fails, the engine records the
app as done and does not run it again.

The console starts a second process on the backend's database. PocketBase's backup drops the server's locks, and a
second process then deletes the server's WAL (SQLite, "How To Corrupt An SQLite Database", 2.2). So a backend in use is
repaired through its own API, by the operator. The console is for a backend that nobody uses yet; and for one that knows
neither the admin nor the operator, as after its container was replaced, while the server is seen to hold its locks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pulumi

from clients.app_platform import AppPlatform, AppPlatformError, ConsoleError, Deployment, run_command
from clients.pocketbase import OPERATOR, AdminError, Unhealthy, ensure_admin, wait_healthy
from lifecycle.errors import UserError
from lifecycle.naming import RELEASE_VARIABLE, owner
from lifecycle.ownership import refuse_other
from stack_outputs import ADOPTED, owner_of_app

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import Settings

DEPLOY_SECONDS = 1800.0
HELD = "held"
LOCKS = """db=$(for p in /proc/[0-9]*; do
[ "$(readlink "$p/cwd")" = "$(pwd -P)" ] && ls -l "$p/fd"
done 2>/dev/null | sed -n 's/.* -> \\(.*[/]data[.]db\\)$/\\1/p' | head -n 1)
[ -n "$db" ] && grep -q "POSIX .*READ .*:$(stat -c %i "$db") " /proc/locks && echo held"""
"""A shell script: whether the process that serves here holds a lock on its database. It opens no database."""


class Logins(Protocol):
    """The passwords of the backend's admin and of our operator."""

    password: pulumi.Output[str]
    operator: pulumi.Output[str]


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
    """The image digest that must run; or, of an app made by hand, the deployment."""
    email: str
    owner: str
    """Our stack; another's app is not touched."""


@dataclass(frozen=True, kw_only=True)
class Expected(Required):
    """A usable backend, as far as it is known before there is one."""

    password: pulumi.Output[str]
    operator: pulumi.Output[str]

    @classmethod
    def of(cls, settings: Settings, release: str, logins: Logins) -> Expected:
        from settings import digitalocean_endpoint

        backend = settings.backend
        return cls(
            endpoint=digitalocean_endpoint(),
            service=backend.service,
            health_path=backend.health_path,
            console=backend.console,
            release=release,
            email=settings.admin_email,
            owner=str(owner()),
            password=logins.password,
            operator=logins.operator,
        )

    async def at(self, app_id: str) -> Target:
        """The same of an app that exists. For hooks: waits for the passwords."""
        secrets = {"password": await self.password.future(), "operator": await self.operator.future()}
        return Target(app_id=app_id, **{**vars(self), **{name: str(value) for name, value in secrets.items()}})


@dataclass(frozen=True, kw_only=True)
class Target(Required):
    """A backend that exists, and everything it must be."""

    password: str
    operator: str
    """The operator's password."""
    app_id: str

    @property
    def adopted(self) -> bool:
        """Whether the app runs as it was made by hand; nothing is added to its data then."""
        return self.release.startswith(ADOPTED)

    def __repr__(self) -> str:
        return f"Target({self.app_id})"


def bootstrap(target: Target, *, fresh: bool = False) -> str:
    """The backend's address, once it is usable. `fresh`: nobody uses it yet. Raises Sentence."""
    try:
        with AppPlatform(target.endpoint) as platform:
            _run_declared_release(platform, target)
            return _prove_admin(platform, target, fresh)
    except (AppPlatformError, AdminError, ConsoleError, Unhealthy) as error:
        raise UserError(f"The backend is not ready: {error}") from None


def _prove_admin(platform: AppPlatform, target: Target, fresh: bool) -> str:
    """The app's address, once its admin can log in, and the operator, unless the app was made by hand.

    The address comes from the API: an app whose first deployment failed had none when the engine looked. Raises
    AppPlatformError, AdminError, ConsoleError, Unhealthy.
    """
    url = platform.url(target.app_id)
    wait_healthy(url, target.health_path)
    upsert = _upsert(platform, target) if fresh else _careful_upsert(platform, target)
    ensure_admin(url, target.email, target.password, "" if target.adopted else target.operator, upsert)
    return url


def make_logins(platform: AppPlatform, target: Target, url: str) -> None:
    """Make the admin and the operator of a backend in use, which knows neither: its container was replaced.

    Raises AppPlatformError, AdminError, ConsoleError.
    """
    ensure_admin(url, target.email, target.password, target.operator, _careful_upsert(platform, target))


def bootstrap_hook(expected: Expected, *, fresh: bool) -> Callable[[pulumi.ResourceHookArgs], Awaitable[None]]:
    """The same as an after-hook of the app. The engine shows its failure as the update's."""

    async def hook(called: pulumi.ResourceHookArgs) -> None:
        target = await expected.at(called.id)
        try:
            await asyncio.to_thread(bootstrap, target, fresh=fresh)
        except UserError as error:
            raise pulumi.RunError(str(error)) from None

    return hook


def runs_declared_release(platform: AppPlatform, target: Target) -> bool:
    """Whether the release that takes traffic is the declared one."""
    active = Deployment.of(platform.app(target.app_id).get("active_deployment"))
    return active is not None and _is(active, target)


def _run_declared_release(platform: AppPlatform, target: Target) -> None:
    """Waits for, or starts, the deployment of the declared release.

    The provider forgets a failed deployment, so what runs is compared with what is declared. Never deploys over a
    backend that runs, since that would empty its database. Raises AppPlatformError; Sentence for another stack's app.
    """
    app = platform.app(target.app_id)
    refuse_other(f"The app {app['spec']['name']}", owner_of_app(app["spec"]), target.owner)
    active = Deployment.of(app.get("active_deployment"))
    if active is not None:
        if not _is(active, target):
            raise AppPlatformError(changed_by_hand(app["spec"]["name"]))
        return
    running = Deployment.of(app.get("in_progress_deployment") or app.get("pending_deployment"))
    deployment = running or platform.deploy_again(target.app_id)
    platform.wait(target.app_id, deployment.id, DEPLOY_SECONDS)


def _is(deployment: Deployment, target: Target) -> bool:
    """Whether a deployment is the declared one; one made by hand does not tell its release, and goes by its id."""
    return target.release in (deployment.variable(target.service, RELEASE_VARIABLE), ADOPTED + deployment.id)


def changed_by_hand(app: str) -> str:
    """The sentence about an app that is not what was declared, and that must not be deployed over."""
    return (
        f"The app {app} was changed or rolled back by hand, and putting it right in place would empty its database; "
        "replace it, its data carried: oracle drift STACK --repair (or: pulumi config set oracle-net:replacement "
        "NUMBER, one more than now, then: pulumi up)"
    )


def _careful_upsert(platform: AppPlatform, target: Target) -> Callable[[str, str], None]:
    """The same on a database in use. Raises AdminError unless the server is seen to hold its locks on it."""

    def upsert(email: str, password: str) -> None:
        url = platform.console_url(target.app_id, target.service)
        if HELD not in run_command(url, ["sh", "-c", LOCKS]).output.splitlines():
            raise AdminError(
                f"The backend refuses the logins of its admin {email} and of {OPERATOR}, and its server is not seen to "
                "hold the locks on its database, so no second process is started on it. Log in to its dashboard as "
                f"another superuser, and give {email} the declared password: pulumi stack output adminPassword "
                "--show-secrets"
            )
        _upsert(platform, target)(email, password)

    return upsert


def _upsert(platform: AppPlatform, target: Target) -> Callable[[str, str], None]:
    def upsert(email: str, password: str) -> None:
        url = platform.console_url(target.app_id, target.service)
        result = run_command(url, [*target.console.split(), "--", email, password])
        if result.status != 0 or "Error:" in result.output:  # PocketBase says so, and ends with 0
            output = result.output.replace(password, "[password]").strip()[-500:]
            raise AdminError(f"`{target.console}` ended with status {result.status} in the backend's console: {output}")

    return upsert
