"""Success envelopes, lists in pages, and parsing of request bodies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localcloud.cloudflare.errors import bad_body

Json = Any
LARGEST_PAGE = 1000


def now() -> str:
    """Return the current time in Cloudflare's form: 2026-01-01T00:00:00.000000Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ok(result: Json, status: int = 200, **more: Json) -> Response:
    """Build {"success": true, "result": …}; `more` adds fields beside them."""
    return JSONResponse({"success": True, "errors": [], "messages": [], "result": result, **more}, status)


def listing(request: Request, items: Sequence[Json], per_page: int = 20, key: str | None = None) -> Response:
    """Build one page of a list with result_info; `key` puts the items below that name of the result."""
    number = _positive(request, "page", 1)
    size = min(_positive(request, "per_page", per_page), LARGEST_PAGE)
    shown = list(items[(number - 1) * size : number * size])
    info = {
        "page": number,
        "per_page": size,
        "count": len(shown),
        "total_count": len(items),
        "total_pages": -(-len(items) // size),
    }
    return ok({key: shown} if key else shown, result_info=info)


def _positive(request: Request, name: str, default: int) -> int:
    try:
        return max(int(request.query_params.get(name) or default), 1)
    except ValueError:
        return default


async def body(request: Request) -> dict[str, Json]:
    """Parse the request's JSON object. Raises ApiError 10026 for anything else."""
    try:
        parsed = json.loads(await request.body() or b"{}")
    except ValueError:
        raise bad_body("not JSON") from None
    if not isinstance(parsed, dict):
        raise bad_body("not a JSON object")
    return parsed


def text(fields: dict[str, Json], name: str) -> str:
    """Return a required text of a body."""
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise bad_body(f"{name} is missing or not a text")
    return value
