"""Reading request bodies."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from localcloud.digitalocean.errors import ApiError, invalid


async def body(request: Request, optional: bool = False) -> dict[str, Any]:
    """The JSON object sent; ApiError 400 for anything else. Nothing, or null, is an empty one where that is allowed."""
    raw = await request.body()
    if not raw and optional:
        return {}
    try:
        given = json.loads(raw)
    except ValueError:
        raise ApiError(400, "the request's body is not valid JSON") from None
    if given is None and optional:
        return {}
    if not isinstance(given, dict):
        raise ApiError(400, "the request's body is not a JSON object")
    return given


def only(given: dict[str, Any], *known: str) -> dict[str, Any]:
    """The same object, if it has no other keys; ApiError 400 otherwise."""
    if unknown := sorted(set(given) - set(known)):
        raise invalid(f"unknown field {unknown[0]!r}")
    return given
