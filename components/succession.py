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

from appplatform import AppPlatform, AppPlatformError
from components.bootstrap import Target
from components.dynamic import Sentence
from components.transfer import Care, Traffic, served, tell
from contract import LOGIN_MARK
from pocketbase import AdminError, Login, add_stand_in, change_password, login, remove_stand_ins, stand_ins

EMAIL, PASSWORD = "PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD"
"""The api Worker's secrets."""


def succeed(target: Target, older: str, traffic: Traffic, drain: float) -> None:
    """The declared password instead of an older one that still works, while the API logs in as a stand-in.

    Does nothing where there is nobody to disturb: the declared one works already, the older one does not, or no
    traffic goes to this app. Raises Sentence; the API's login works then.
    """
    from workersapi import WorkersApiError

    try:
        with AppPlatform(target.endpoint) as platform:
            name, url = platform.app(target.app_id)["spec"]["name"], platform.url(target.app_id)
        if served(traffic) != name or login(url, target.email, target.password) is not None:
            return
        session = login(url, target.email, older)
        if session is None:
            return
        _stand_in(url, session, target.password, traffic)
        time.sleep(drain)
        change_password(url, session, older, target.password)
        tell("the admin has another password; the API logs in as a stand-in until it knows that")
    except (AppPlatformError, AdminError, WorkersApiError) as error:
        raise Sentence(f"The admin's password is as it was: {error}") from None


def remove_leftovers(target: Target, older: str, traffic: Traffic, drain: float) -> None:
    """Remove the stand-ins of an update that ended halfway; the API gets the admin's own login first.

    Does nothing where no traffic goes to this app. Raises Sentence.
    """
    from workersapi import Workers, WorkersApiError

    try:
        with AppPlatform(target.endpoint) as platform:
            name, url = platform.app(target.app_id)["spec"]["name"], platform.url(target.app_id)
        if served(traffic) != name:
            return
        good, session = _good_login(url, target.email, (target.password, older))
        if session is None or not stand_ins(url, session):
            return
        with Workers(traffic.endpoint, traffic.account) as workers:
            workers.put_secrets(traffic.script, _bound(target.email, good))
        remove_stand_ins(url, session, after=lambda: time.sleep(drain))
        tell("a stand-in of the admin that an earlier update had left is gone")
    except (AppPlatformError, AdminError, WorkersApiError) as error:
        raise Sentence(f"The backend is not ready: {error}") from None


def _bound(email: str, password: str) -> dict[str, str]:
    return {EMAIL: email, PASSWORD: password, LOGIN_MARK: "1"}


def _good_login(url: str, email: str, passwords: tuple[str, ...]) -> tuple[str, Login | None]:
    """The first password that the admin can log in with, and its session."""
    for password in passwords:
        if (session := login(url, email, password)) is not None:
            return password, session
    return "", None


def _stand_in(url: str, session: Login, password: str, traffic: Traffic) -> None:
    from workersapi import Workers, WorkersApiError

    deputy = add_stand_in(url, session, password)
    with Workers(traffic.endpoint, traffic.account) as workers:
        try:
            workers.put_secrets(traffic.script, _bound(deputy.email, deputy.password))
        except WorkersApiError as error:
            if error.status is not None:  # refused; without an answer it may have been done
                remove_stand_ins(url, session, only=deputy.email)
            raise


def dismissal(care: Care) -> Callable[[pulumi.ResourceHookArgs], Awaitable[None]]:
    """The api Worker's after-hook: it has been uploaded with the declared login, so that stand-ins may go.

    One that cannot be removed now harms nobody, and is no reason to fail an update that has done its work.
    """

    async def hook(_: pulumi.ResourceHookArgs) -> None:
        password = str(await care.expected.password.future())
        await asyncio.to_thread(_dismiss, care, password)

    return hook


def _dismiss(care: Care, password: str) -> None:
    from workersapi import WorkersApiError

    try:
        url = _address(care)
        session = login(url, care.expected.email, password) if url else None
        if url and session and remove_stand_ins(url, session, after=lambda: time.sleep(care.policy.drain)):
            tell("the stand-in of the admin has gone")
    except (AppPlatformError, AdminError, WorkersApiError) as error:
        tell(f"whether there is a stand-in of the admin could not be seen; the next update looks again: {error}")


def _address(care: Care) -> str | None:
    with AppPlatform(care.expected.endpoint) as platform:
        name = served(care.traffic)
        app: dict[str, Any] | None = platform.find(name) if name else None
        return platform.url(app["id"]) if app else None
