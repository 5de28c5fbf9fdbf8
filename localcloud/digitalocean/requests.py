"""Parsing of request bodies."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from localcloud.digitalocean.errors import ApiError, invalid


async def body(request: Request, optional: bool = False) -> dict[str, Any]:
    """Parse a JSON object; an empty body or null is {} when `optional`. Raises ApiError 400 for anything else."""
    raw = await request.body()
    if not raw and optional:
        return {}
    try:
        parsed = json.loads(raw)
    except ValueError:
        raise ApiError(400, "the request's body is not valid JSON") from None
    if parsed is None and optional:
        return {}
    if not isinstance(parsed, dict):
        raise ApiError(400, "the request's body is not a JSON object")
    return parsed


def only(fields: dict[str, Any], *known: str) -> dict[str, Any]:
    """Return the object. Raises ApiError 400 when it has other keys."""
    if unknown := sorted(set(fields) - set(known)):
        raise invalid(f"unknown field {unknown[0]!r}")
    return fields
