"""Change the admin's password without a moment in which the API's login fails.

PocketBase has one password for each superuser, and ends all of a superuser's sessions when the password changes. The
api Worker is uploaded a while later. Between the two, the API's login would fail. So the API logs in as another
superuser for that time, the temporary admin:

1. make a second superuser with a random address and the new password. PocketBase accepts or refuses the password here,
   before anything depends on it
2. bind its address and password to the api Worker in one request, so that no request sees an address with the password
   of another superuser
3. wait for earlier requests to end
4. change the admin's password; the old one is refused from now on. The write gate closes the WebSockets of Worker
   versions with the old password with 1012, at their next message
5. the engine uploads the api Worker with the new password: an upload replaces every secret
6. wait for earlier requests to end, then remove the temporary admin

The API can log in after an interruption at any step: before step 4 both bound logins work, afterwards the temporary
admin's works. The next update binds the admin's own login again, removes the temporary admin, and starts over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pulumi

from clients.pocketbase import (
    Login,
    add_temporary_admin,
    change_password,
    list_temporary_admins,
    login,
    remove_temporary_admins,
)
from clients.workers_api import WorkersApiError
from errors import UserError
from lifecycle.bootstrap import Target
from lifecycle.clouds import Clouds
from lifecycle.context import BackendContext, Traffic, app_with_traffic
from lifecycle.data_log import log
from lifecycle.errors import in_thread
from stack_outputs import LOGIN_MARK

EMAIL, PASSWORD = "PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD"
"""The api Worker's secrets."""


def rotate_with_temporary_admin(clouds: Clouds, target: Target, older: str, traffic: Traffic, drain: float) -> None:
    """Change the admin's password from `older` to the declared one, while the API logs in as a temporary admin.

    Does nothing if the declared password works already, if `older` does not work, or if this app has no traffic. Raises
    UserError; the API's login works then too.
    """
    try:
        with clouds.app_platform(target.endpoint) as platform:
            name, url = platform.app(target.app_id)["spec"]["name"], platform.url(target.app_id)
        if app_with_traffic(clouds, traffic) != name or login(url, target.email, target.password) is not None:
            return
        session = login(url, target.email, older)
        if session is None:
            return
        _use_temporary_admin(clouds, url, session, target.password, traffic)
        clouds.sleep(drain)
        change_password(url, session, older, target.password)
        log("the admin's password is changed; the API logs in as a temporary admin until the api Worker is uploaded")
    except UserError as error:
        raise UserError("The admin's password was not changed.", cause=error) from None


def remove_leftover_admins(clouds: Clouds, target: Target, older: str, traffic: Traffic, drain: float) -> None:
    """Remove the temporary admins of an update that ended halfway. The API gets the admin's own login first.

    Does nothing if this app has no traffic. Raises UserError.
    """
    try:
        with clouds.app_platform(target.endpoint) as platform:
            name, url = platform.app(target.app_id)["spec"]["name"], platform.url(target.app_id)
        if app_with_traffic(clouds, traffic) != name:
            return
        working, session = _working_login(url, target.email, (target.password, older))
        if session is None or not list_temporary_admins(url, session):
            return
        with clouds.workers(traffic.endpoint, traffic.account) as workers:
            workers.put_secrets(traffic.script, _login_secrets(target.email, working))
        remove_temporary_admins(url, session, after=lambda: clouds.sleep(drain))
        log("removed the temporary admin that an earlier update left")
    except UserError as error:
        raise UserError("The temporary admin of an earlier update could not be removed.", cause=error) from None


def _login_secrets(email: str, password: str) -> dict[str, str]:
    return {EMAIL: email, PASSWORD: password, LOGIN_MARK: "1"}


def _working_login(url: str, email: str, passwords: tuple[str, ...]) -> tuple[str, Login | None]:
    """Return the first password that lets the admin log in, and its session."""
    for password in passwords:
        if (session := login(url, email, password)) is not None:
            return password, session
    return "", None


def _use_temporary_admin(clouds: Clouds, url: str, session: Login, password: str, traffic: Traffic) -> None:
    temporary = add_temporary_admin(url, session, password)
    with clouds.workers(traffic.endpoint, traffic.account) as workers:
        try:
            workers.put_secrets(traffic.script, _login_secrets(temporary.email, temporary.password))
        except WorkersApiError as error:
            if error.status is not None:  # refused; without an answer the secrets may be bound
                remove_temporary_admins(url, session, only=temporary.email)
            raise


def remove_temporary_admins_hook(context: BackendContext) -> Callable[[pulumi.ResourceHookArgs], Awaitable[None]]:
    """Return the api Worker's after-hook, which removes temporary admins once the declared login is uploaded.

    A temporary admin that cannot be removed now does no harm, so the update does not fail.
    """

    async def hook(_: pulumi.ResourceHookArgs) -> None:
        password = str(await context.expected.password.future())
        await in_thread(remove_unused_admins, context, password)

    return hook


def remove_unused_admins(context: BackendContext, password: str) -> None:
    """Remove the temporary admins, since the api Worker has the admin's own login. A failure is only logged."""
    clouds = context.clouds
    try:
        url = _serving_url(context)
        session = login(url, context.expected.email, password) if url else None
        if url and session and remove_temporary_admins(url, session, after=lambda: clouds.sleep(context.policy.drain)):
            log("removed the temporary admin")
    except UserError as error:
        log(f"the temporary admin could not be removed; the next update tries again: {error}")


def _serving_url(context: BackendContext) -> str | None:
    with context.clouds.app_platform(context.expected.endpoint) as platform:
        name = app_with_traffic(context.clouds, context.traffic)
        app: dict[str, Any] | None = platform.find(name) if name else None
        return platform.url(app["id"]) if app else None
