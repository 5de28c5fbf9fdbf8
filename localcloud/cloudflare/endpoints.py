"""Endpoints around the handlers: they check the token, and turn errors into Cloudflare's answers."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.websockets import WebSocket

from localcloud.cloudflare import errors, tails
from localcloud.cloudflare.api import Api, Handler
from localcloud.cloudflare.errors import ApiError
from localcloud.edge_process import EdgeError

log = logging.getLogger(__name__)
Endpoint = Callable[[Request], Awaitable[Response]]


def answer(api: Api, handler: Handler, session: bool = False) -> Endpoint:
    """Check token and account before a handler; with `session` the handler checks the token."""

    async def endpoint(request: Request) -> Response:
        try:
            if not session:
                _authorize(request, api)
            if request.path_params.get("account", api.account_id) != api.account_id:
                raise errors.authentication()
            return await handler(request, api)
        except ApiError as error:
            return error.response()
        except ClientDisconnect:
            raise
        except EdgeError as error:
            log.error("%s %s: %s", request.method, request.url.path, error)
            return errors.failure(503, 10013, f"{error} Try again.", final=False)
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            return errors.failure(500, 10002, "An unknown error has occurred: see the local cloud's log.")

    return endpoint


def follow_tail(api: Api) -> Callable[[WebSocket], Awaitable[None]]:
    """Serve the websocket that a tail's client follows."""

    async def endpoint(websocket: WebSocket) -> None:
        await tails.follow(websocket, api)

    return endpoint


def _authorize(request: Request, api: Api) -> None:
    given = request.headers.get("authorization")
    if given is None:
        raise errors.no_credentials()
    if not hmac.compare_digest(given.encode(), f"Bearer {api.token}".encode()):
        if request.url.path.endswith("/tokens/verify"):
            raise ApiError(401, 1000, "Invalid API Token")
        raise errors.authentication()


def unknown_path(api: Api, known: list[BaseRoute]) -> Endpoint:
    """Answer a path or method that no route has."""

    async def endpoint(request: Request) -> Response:
        try:
            _authorize(request, api)
        except ApiError as error:
            return error.response()
        if any(route.matches(request.scope)[0] is Match.PARTIAL for route in known):
            return errors.no_method(request.method).response()
        return errors.no_route(request.url.path).response()

    return endpoint
