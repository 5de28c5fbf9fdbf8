"""Asset upload sessions over HTTP."""

from __future__ import annotations

import base64
import binascii

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from localcloud.cloudflare.api import Api
from localcloud.cloudflare.errors import authentication, bad_body, invalid
from localcloud.cloudflare.responses import body, ok
from localcloud.cloudflare.workers import check_name

LARGEST_PART = 40 * 1024 * 1024
MOST_PARTS = 5000
NO_TYPE = "application/null"
"""Sent for a file that must be served without a content type."""


async def open_session(request: Request, api: Api) -> Response:
    """Open an upload session for a manifest; answer with the missing files' hashes."""
    name = request.path_params["script"]
    check_name(name)
    found = await body(request)
    token, buckets = api.sessions.open(name, found.get("manifest"))
    return ok({"jwt": token, "buckets": buckets}, 201 if buckets else 200)


async def upload(request: Request, api: Api) -> Response:
    """Upload files in base64, with the session's token as bearer.

    The status is 202 while files are missing, and 201 with the completion token after the last one.
    """
    if request.query_params.get("base64") != "true":
        raise invalid("files must be uploaded with base64=true")
    try:
        async with request.form(max_files=MOST_PARTS, max_fields=MOST_PARTS, max_part_size=LARGEST_PART) as form:
            files = [(name, *await _content(name, part)) for name, part in form.multi_items()]
    except HTTPException as error:
        raise bad_body(str(error.detail)) from None
    token = api.sessions.put(bearer(request), files)
    return ok({"jwt": token}, 201) if token else ok({}, 202)


async def _content(name: str, part: object) -> tuple[str, bytes]:
    if isinstance(part, str):
        kind, raw = "", part.encode()
    else:
        kind, raw = getattr(part, "content_type", "") or "", await part.read()  # type: ignore[attr-defined]
    kind = "" if kind == NO_TYPE else kind
    try:
        return kind, base64.b64decode(raw, validate=True)
    except binascii.Error:
        raise invalid(f"file {name} is not base64") from None


def bearer(request: Request) -> str:
    """Return the bearer token of a request. Raises ApiError when it has none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise authentication()
    return token
