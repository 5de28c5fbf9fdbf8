"""JSON responses with the headers of every DigitalOcean response, and pages of lists."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

HOURLY_LIMIT = 5000
DEFAULT_PER_PAGE = 20
LARGEST_PAGE = 200


class RateWindow:
    """Counts responses per hour for the ratelimit headers. It never refuses: 429 comes from faults only."""

    def __init__(self) -> None:
        self._ends = 0.0
        self._used = 0

    def headers(self) -> dict[str, str]:
        """Count a response and return limit, remaining, and the end of the hour in seconds since 1970."""
        now = time.time()
        if now > self._ends:
            self._ends, self._used = now + 3600, 0
        self._used += 1
        remaining = max(HOURLY_LIMIT - self._used, 1)
        return {
            "ratelimit-limit": str(HOURLY_LIMIT),
            "ratelimit-remaining": str(remaining),
            "ratelimit-reset": str(int(self._ends)),
        }


RATE = RateWindow()


def reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Build a response; error bodies get the request's id, and a 204 has no body."""
    request_id = str(uuid.uuid4())
    all_headers = {**RATE.headers(), "x-request-id": request_id, **(headers or {})}
    if status == 204:
        return Response(status_code=204, headers=all_headers)
    if isinstance(body, str):
        return Response(body, status, all_headers)
    if status >= 400 and isinstance(body, dict) and "id" in body and "message" in body:
        body = {**body, "request_id": request_id}
    return JSONResponse(body, status, all_headers)


def page(request: Request, key: str, items: Sequence[Any]) -> Response:
    """Build one page of a list: {key: [...], "links": {"pages": ...}, "meta": {"total": n}}."""
    per_page = min(_positive(request, "per_page", DEFAULT_PER_PAGE), LARGEST_PAGE)
    last = max(-(-len(items) // per_page), 1)
    number = _positive(request, "page", 1)
    shown = items[(number - 1) * per_page : number * per_page]
    links = {"pages": _links(request, number, last, per_page)} if last > 1 else {}
    return reply({key: list(shown), "links": links, "meta": {"total": len(items)}})


def _links(request: Request, number: int, last: int, per_page: int) -> dict[str, str]:
    def address(target: int) -> str:
        return str(request.url.include_query_params(page=target, per_page=per_page))

    pages: dict[str, str] = {}
    if number > 1:
        pages |= {"first": address(1), "prev": address(min(number - 1, last))}
    if number < last:
        pages |= {"next": address(number + 1), "last": address(last)}
    return pages


def _positive(request: Request, name: str, default: int) -> int:
    try:
        return max(int(request.query_params.get(name) or default), 1)
    except ValueError:
        return default
