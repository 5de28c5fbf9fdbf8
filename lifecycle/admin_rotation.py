"""Change the admin's password without a moment in which the API's login fails.

PocketBase knows one password for each superuser, and ends all its sessions when that changes; the api Worker's upload
comes a while later. In between the API would be refused. So it logs in as another superuser for that time, a stand-in:

1. a second superuser is made, with a random address and the new password. PocketBase takes or refuses it here, before
   anything depends on it
2. the api Worker gets both in one request, so that no request sees an address with another's password
3. requests that began before end
4. the admin's password is changed; the older one is refused from here on. WebSockets of versions that know no other
   are closed with 1012 by our front, at their next message
5. the engine uploads the api Worker with the new one: an upload replaces every secret
6. requests that began before end, and the stand-in is removed

Whatever ends it halfway, the API can log in: before 4 both passwords that are bound are good, afterwards the stand-in's
is. The next update binds the admin's own login again, removes the stand-in, and takes it up from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pulumi

from clients.app_platform import AppPlatform, AppPlatformError
from clients.pocketbase import (
    AdminError,
    Login,
    add_temporary_admin,
    change_password,
    list_temporary_admins,
    login,
    remove_temporary_admins,
)
from lifecycle.bootstrap import Target
from lifecycle.errors import UserError
from lifecycle.migration import BackendContext, Traffic, app_with_traffic, log
from stack_outputs import LOGIN_MARK

EMAIL, PASSWORD = "PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD"
"""The api Worker's secrets."""


def rotate_with_temporary_admin(target: Target, older: str, traffic: Traffic, drain: float) -> None:
    """The declared password instead of an older one that still works, while the API logs in as a stand-in.

    Does nothing where there is nobody to disturb: the declared one works already, the older one does not, or no
    traffic goes to this app. Raises Sentence; the API's login works then.
    """
    from clients.workers_api import WorkersApiError

    try:
        with AppPlatform(target.endpoint) as platform:
            name, url = platform.app(target.app_id)["spec"]["name"], platform.url(target.app_id)
        if app_with_traffic(traffic) != name or login(url, target.email, target.password) is not None:
            return
        session = login(url, target.email, older)
        if session is None:
            return
        _temporary_admin(url, session, target.password, traffic)
        time.sleep(drain)
        change_password(url, session, older, target.password)
        log("the admin has another password; the API logs in as a stand-in until it knows that")
    except (AppPlatformError, AdminError, WorkersApiError) as error:
        raise UserError(f"The admin's password is as it was: {error}") from None


def remove_leftover_admins(target: Target, older: str, traffic: Traffic, drain: float) -> None:
    """Remove the stand-ins of an update that ended halfway; the API gets the admin's own login first.

    Does nothing where no traffic goes to this app. Raises Sentence.
    """
    from clients.workers_api import Workers, WorkersApiError

    try:
        with AppPlatform(target.endpoint) as platform:
            name, url = platform.app(target.app_id)["spec"]["name"], platform.url(target.app_id)
        if app_with_traffic(traffic) != name:
            return
        good, session = _good_login(url, target.email, (target.password, older))
        if session is None or not list_temporary_admins(url, session):
            return
        with Workers(traffic.endpoint, traffic.account) as workers:
            workers.put_secrets(traffic.script, _bound(target.email, good))
        remove_temporary_admins(url, session, after=lambda: time.sleep(drain))
        log("a stand-in of the admin that an earlier update had left is gone")
    except (AppPlatformError, AdminError, WorkersApiError) as error:
        raise UserError(f"The backend is not ready: {error}") from None


def _bound(email: str, password: str) -> dict[str, str]:
    return {EMAIL: email, PASSWORD: password, LOGIN_MARK: "1"}


def _good_login(url: str, email: str, passwords: tuple[str, ...]) -> tuple[str, Login | None]:
    """The first password that the admin can log in with, and its session."""
    for password in passwords:
        if (session := login(url, email, password)) is not None:
            return password, session
    return "", None


def _temporary_admin(url: str, session: Login, password: str, traffic: Traffic) -> None:
    from clients.workers_api import Workers, WorkersApiError

    deputy = add_temporary_admin(url, session, password)
    with Workers(traffic.endpoint, traffic.account) as workers:
        try:
            workers.put_secrets(traffic.script, _bound(deputy.email, deputy.password))
        except WorkersApiError as error:
            if error.status is not None:  # refused; without an answer it may have been done
                remove_temporary_admins(url, session, only=deputy.email)
            raise


def remove_temporary_admins_hook(context: BackendContext) -> Callable[[pulumi.ResourceHookArgs], Awaitable[None]]:
    """The api Worker's after-hook: it has been uploaded with the declared login, so that stand-ins may go.

    One that cannot be removed now harms nobody, and is no reason to fail an update that has done its work.
    """

    async def hook(_: pulumi.ResourceHookArgs) -> None:
        password = str(await context.expected.password.future())
        await asyncio.to_thread(_remove_temporary_admins, context, password)

    return hook


def _remove_temporary_admins(context: BackendContext, password: str) -> None:
    from clients.workers_api import WorkersApiError

    try:
        url = _address(context)
        session = login(url, context.expected.email, password) if url else None
        if url and session and remove_temporary_admins(url, session, after=lambda: time.sleep(context.policy.drain)):
            log("the stand-in of the admin has gone")
    except (AppPlatformError, AdminError, WorkersApiError) as error:
        log(f"whether there is a stand-in of the admin could not be seen; the next update looks again: {error}")


def _address(context: BackendContext) -> str | None:
    with AppPlatform(context.expected.endpoint) as platform:
        name = app_with_traffic(context.traffic)
        app: dict[str, Any] | None = platform.find(name) if name else None
        return platform.url(app["id"]) if app else None
