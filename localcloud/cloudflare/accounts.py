"""User, accounts, memberships, and the account's name below workers.localhost."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from localcloud.cloudflare import shapes
from localcloud.cloudflare.api import Api
from localcloud.cloudflare.errors import ApiError
from localcloud.cloudflare.responses import body, listing, ok, text

USER = {
    "id": shapes.AUTHOR_ID,
    "email": shapes.AUTHOR,
    "first_name": "Local",
    "last_name": "Cloud",
    "two_factor_authentication_enabled": False,
    "suspended": False,
}
SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


async def verify_token(_: Request, __: Api) -> Response:
    """Confirm that the token is active."""
    return ok({"id": shapes.AUTHOR_ID, "status": "active"})


async def user(_: Request, __: Api) -> Response:
    """Show the user."""
    return ok(USER)


async def accounts(request: Request, api: Api) -> Response:
    """List the accounts: only one."""
    return listing(request, [shapes.account(api.account_id)])


async def account(_: Request, api: Api) -> Response:
    """Show the account."""
    return ok(shapes.account(api.account_id))


async def memberships(request: Request, api: Api) -> Response:
    """List the user's memberships: only one."""
    roles = ["Administrator"]
    membership = {
        "id": shapes.AUTHOR_ID,
        "status": "accepted",
        "account": shapes.account(api.account_id),
        "roles": roles,
    }
    return listing(request, [membership])


async def subdomain(_: Request, api: Api) -> Response:
    """Show the account's name below workers.localhost."""
    return ok({"subdomain": api.zones.subdomain})


async def set_subdomain(request: Request, api: Api) -> Response:
    """Rename the account's subdomain, which changes every Worker's own address."""
    name = text(await body(request), "subdomain").lower()
    if not SUBDOMAIN.fullmatch(name):
        raise ApiError(400, 10030, f"{name!r} is no valid subdomain.")
    api.zones.set_subdomain(name)
    for script in api.records.scripts():
        await api.workers.runtime.readdress(script.name)
    return ok({"subdomain": name})
