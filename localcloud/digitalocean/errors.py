"""Error responses: {"id", "message", "request_id"}."""

from __future__ import annotations

import logging
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from localcloud.digitalocean.responses import reply

IDS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    422: "unprocessable_entity",
    429: "too_many_requests",
    500: "server_error",
    502: "server_error",
    503: "service_unavailable",
    504: "server_error",
}
MESSAGES = {
    404: "The resource you were accessing could not be found.",
    405: "The method is not allowed for this resource.",
    429: "API Rate limit exceeded.",
    500: "Server Error",
    502: "Server Error",
    503: "Service Unavailable",
}
log = logging.getLogger(__name__)


class ApiError(Exception):
    """A response other than success."""

    def __init__(self, status: int, message: str, identifier: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.identifier = identifier or IDS.get(status, "server_error")


def not_found(what: str) -> ApiError:
    """Build a 404 for something that has an id."""
    return ApiError(404, f"{what} not found")


def invalid(message: str) -> ApiError:
    """Build a 400 for a request whose content App Platform refuses."""
    return ApiError(400, message, "invalid_argument")


def unprocessable(message: str) -> ApiError:
    """Build a 422 for a request whose content the uptime service refuses."""
    return ApiError(422, message)


def envelope(identifier: str, message: str) -> dict[str, Any]:
    """Build the error body; `reply` adds the request's id."""
    return {"id": identifier, "message": message}


def fault_body(status: int) -> dict[str, Any]:
    """Build the error body of a fault that names none."""
    return envelope(IDS.get(status, "server_error"), MESSAGES.get(status, "Server Error"))


async def on_api_error(_: Request, error: Exception) -> Response:
    """Return an ApiError's response."""
    assert isinstance(error, ApiError)
    return reply(envelope(error.identifier, error.message), error.status)


async def on_http_error(_: Request, error: Exception) -> Response:
    """Return the response for an unknown path or method."""
    assert isinstance(error, HTTPException)
    message = MESSAGES.get(error.status_code, error.detail)
    return reply(envelope(IDS.get(error.status_code, "bad_request"), message), error.status_code)


async def on_crash(request: Request, error: Exception) -> Response:
    """Return a 500 for a bug of ours, and log the traceback."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return reply(fault_body(500), 500)


def handlers() -> dict[Any, Any]:
    """Return the handlers for Starlette's `exception_handlers`."""
    return {ApiError: on_api_error, HTTPException: on_http_error, Exception: on_crash}
