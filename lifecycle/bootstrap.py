"""Make a deployed backend usable: the declared release runs, is healthy, and accepts the logins of admin and operator.

`bootstrap` is used twice: by the app's hook, so that a new app gets its admin at once, and by the resource
`BackendReady`, which checks again in its create and update. The hook alone is not enough: when it fails, the engine
records the app as created and does not call the hook again.

The console starts a second process on the backend's database. PocketBase's backup drops the server's locks, and a
second process then deletes the server's WAL (SQLite, "How To Corrupt An SQLite Database", 2.2). So the operator repairs
a backend in use through its API. The console is for a backend that nobody uses yet, and for one that has neither the
admin nor the operator, for example because its container was replaced. In the second case the server must hold its
locks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pulumi

from clients.app_platform import AppPlatform, AppPlatformError, ConsoleError, Deployment
from clients.pocketbase import OPERATOR, AdminError, Unhealthy, ensure_admin, wait_healthy
from errors import STACK, Fix, UserError
from lifecycle.clouds import Clouds
from lifecycle.errors import in_thread
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
"""A shell script that prints "held" if the server holds a lock on its database. It does not open the database."""


class Logins(Protocol):
    """The passwords of the backend's admin and of the operator."""

    password: pulumi.Output[str]
    operator: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class Required:
    """The requirements for a usable backend."""

    endpoint: str
    """Origin of DigitalOcean's API."""
    service: str
    health_path: str
    console: str
    """The command that makes a superuser. Its arguments are an e-mail address and a password."""
    release: str
    """The image digest that must run; for an adopted app, the deployment."""
    email: str
    owner: str
    """The stack. An app of another owner is not changed."""


@dataclass(frozen=True, kw_only=True)
class Expected(Required):
    """The requirements that are known before the app exists."""

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
        """Return the requirements for an existing app. For hooks: waits for the passwords."""
        secrets = {"password": await self.password.future(), "operator": await self.operator.future()}
        return Target(app_id=app_id, **{**vars(self), **{name: str(value) for name, value in secrets.items()}})


@dataclass(frozen=True, kw_only=True)
class Target(Required):
    """An existing backend and all its requirements."""

    password: str
    operator: str
    """The operator's password."""
    app_id: str

    @property
    def adopted(self) -> bool:
        """True if the app was made by hand and not released since. Then nothing is added to its data."""
        return self.release.startswith(ADOPTED)

    def __repr__(self) -> str:
        return f"Target({self.app_id})"


def bootstrap(platform: AppPlatform, target: Target, *, fresh: bool = False) -> str:
    """Make the backend usable and return its address. `fresh`: nobody uses it yet. Raises UserError."""
    try:
        _run_declared_release(platform, target)
        return _ensure_logins(platform, target, fresh)
    except (AppPlatformError, AdminError, ConsoleError, Unhealthy) as error:
        raise UserError("The backend is not ready.", cause=error) from None


def _ensure_logins(platform: AppPlatform, target: Target, fresh: bool) -> str:
    """Make the admin's login work, and the operator's unless the app is adopted. Return the app's address.

    The address comes from the API: an app whose first deployment failed had none when the engine read it. Raises
    AppPlatformError, AdminError, ConsoleError, Unhealthy.
    """
    url = platform.url(target.app_id)
    wait_healthy(url, target.health_path)
    upsert = _upsert(platform, target) if fresh else _careful_upsert(platform, target)
    ensure_admin(url, target.email, target.password, "" if target.adopted else target.operator, upsert)
    return url


def make_logins(platform: AppPlatform, target: Target, url: str) -> None:
    """Make the admin and the operator of a backend in use that has neither: its container was replaced.

    Raises AppPlatformError, AdminError, ConsoleError.
    """
    ensure_admin(url, target.email, target.password, target.operator, _careful_upsert(platform, target))


def bootstrap_hook(
    clouds: Clouds, expected: Expected, *, fresh: bool
) -> Callable[[pulumi.ResourceHookArgs], Awaitable[None]]:
    """Return `bootstrap` as an after-hook of the app. If it fails, the update fails."""

    def connect_and_bootstrap(target: Target) -> None:
        with clouds.app_platform(target.endpoint) as platform:
            bootstrap(platform, target, fresh=fresh)

    async def hook(args: pulumi.ResourceHookArgs) -> None:
        await in_thread(connect_and_bootstrap, await expected.at(args.id))

    return hook


def runs_declared_release(platform: AppPlatform, target: Target) -> bool:
    """Return whether the active deployment is of the declared release."""
    active = Deployment.of(platform.app(target.app_id).get("active_deployment"))
    return active is not None and _is_declared(active, target)


def _run_declared_release(platform: AppPlatform, target: Target) -> None:
    """Wait for the deployment of the declared release, or start it.

    The provider forgets a failed deployment, so the active deployment is compared with the declared release. Never
    deploys over a running backend, which would empty its database. Raises AppPlatformError, and UserError for an app of
    another owner.
    """
    app = platform.app(target.app_id)
    refuse_other(f"The app {app['spec']['name']}", owner_of_app(app["spec"]), target.owner)
    active = Deployment.of(app.get("active_deployment"))
    if active is not None:
        if not _is_declared(active, target):
            raise changed_by_hand(app["spec"]["name"])
        return
    running = Deployment.of(app.get("in_progress_deployment") or app.get("pending_deployment"))
    deployment = running or platform.deploy_again(target.app_id)
    platform.wait(target.app_id, deployment.id, DEPLOY_SECONDS)


def _is_declared(deployment: Deployment, target: Target) -> bool:
    """Return whether a deployment is the declared one. An adopted deployment has no release variable; its id counts."""
    return target.release in (deployment.variable(target.service, RELEASE_VARIABLE), ADOPTED + deployment.id)


def changed_by_hand(app: str) -> UserError:
    """Return the error for an app that differs from the declaration and must not be deployed over."""
    return UserError(
        f"The app {app} was changed or rolled back by hand, and a deployment in place would empty its database.",
        Fix(f"oracle drift {STACK} --repair", "to replace the app and migrate its data"),
    )


def _careful_upsert(platform: AppPlatform, target: Target) -> Callable[[str, str], None]:
    """Return `_upsert` for a database in use. It raises AdminError unless the server holds its locks."""

    def upsert(email: str, password: str) -> None:
        locks = platform.run_command(target.app_id, target.service, ["sh", "-c", LOCKS])
        if HELD not in locks.output.splitlines():
            raise AdminError(
                f"The backend refuses the logins of its admin {email} and of {OPERATOR}. Its server does not seem to "
                "hold the locks on its database, so no second process is started on it.",
                Fix(
                    f"pulumi stack output adminPassword --show-secrets --stack {STACK}",
                    f"to read the declared password, and set it for {email}",
                    first="log in to its dashboard as another superuser",
                ),
            )
        _upsert(platform, target)(email, password)

    return upsert


def _upsert(platform: AppPlatform, target: Target) -> Callable[[str, str], None]:
    def upsert(email: str, password: str) -> None:
        command = [*target.console.split(), "--", email, password]
        result = platform.run_command(target.app_id, target.service, command)
        if result.status != 0 or "Error:" in result.output:  # PocketBase prints an error and exits with 0
            output = result.output.replace(password, "[password]").strip()[-500:]
            raise AdminError(f"`{target.console}` ended with status {result.status} in the console.", cause=output)

    return upsert
