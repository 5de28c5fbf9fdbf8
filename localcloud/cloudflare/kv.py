"""KV namespaces, keys and values over HTTP."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from localcloud.cloudflare.api import Api
from localcloud.cloudflare.errors import ApiError
from localcloud.cloudflare.namespaces import Entry, Namespace
from localcloud.cloudflare.responses import body, listing, ok

Json = Any
LARGEST_VALUE = 25 * 1024 * 1024
MOST_WRITTEN = 10_000
MOST_READ = 100


async def namespaces(request: Request, api: Api) -> Response:
    """List the KV namespaces."""
    order = "id" if request.query_params.get("order") == "id" else "title"
    backwards = request.query_params.get("direction") == "desc"
    ordered = sorted(map(_shape, api.namespaces.all()), key=lambda shape: str(shape[order]), reverse=backwards)
    return listing(request, ordered)


async def add_namespace(request: Request, api: Api) -> Response:
    """Create a namespace: {"title"}."""
    return ok(_shape(api.namespaces.add(await _title(request))))


async def namespace(request: Request, api: Api) -> Response:
    """Show a namespace."""
    return ok(_shape(api.namespaces.get(_id(request))))


async def rename_namespace(request: Request, api: Api) -> Response:
    """Rename a namespace: {"title"}."""
    return ok(_shape(api.namespaces.rename(_id(request), await _title(request))))


async def drop_namespace(request: Request, api: Api) -> Response:
    """Delete a namespace with all its keys."""
    await api.namespaces.drop(_id(request))
    return ok(None)


async def keys(request: Request, api: Api) -> Response:
    """List keys: a page of at most 1000, and a cursor in result_info for the next one."""
    asked = [request.query_params.get(name, "") for name in ("prefix", "limit", "cursor")]
    page = await api.namespaces.keys(_id(request), *asked)
    return ok(page["keys"], result_info={"count": len(page["keys"]), "cursor": page.get("cursor", "")})


async def value(request: Request, api: Api) -> Response:
    """Read a value's bytes; the header `expiration` is set when it expires."""
    stored = await api.namespaces.value(_id(request), _key(request))
    ending = stored.headers.get("cf-expiration")
    return Response(stored.body, 200, {"expiration": ending} if ending else None, "application/octet-stream")


async def put_value(request: Request, api: Api) -> Response:
    """Write a value: its bytes, or a form with the parts value and metadata."""
    expiry = {"expiration": request.query_params.get("expiration"), "ttl": request.query_params.get("expiration_ttl")}
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        entry = await _form(request, expiry)
    else:
        entry = Entry(value=await request.body(), **expiry)
    await api.namespaces.put(_id(request), _key(request), entry)
    return ok(None)


async def drop_value(request: Request, api: Api) -> Response:
    """Delete a key."""
    await api.namespaces.remove(_id(request), _key(request))
    return ok(None)


async def metadata(request: Request, api: Api) -> Response:
    """Read a key's metadata; null when it has none."""
    stored = await api.namespaces.value(_id(request), _key(request))
    return ok(json.loads(stored.headers.get("cf-kv-metadata", "null")))


async def put_values(request: Request, api: Api) -> Response:
    """Write many values: [{key, value, base64?, expiration?, expiration_ttl?, metadata?}]."""
    written = [_bulk(entry) for entry in await _list(request)]
    for key, entry in written:
        await api.namespaces.put(_id(request), key, entry)
    return ok({"successful_key_count": len(written), "unsuccessful_keys": []})


async def drop_values(request: Request, api: Api) -> Response:
    """Delete many keys: a list of them."""
    names = [str(key["name"]) if isinstance(key, dict) and "name" in key else key for key in await _list(request)]
    if not all(isinstance(name, str) for name in names):
        raise _unreadable("a key is no text")
    for name in names:
        await api.namespaces.remove(_id(request), name)
    return ok({"successful_key_count": len(names), "unsuccessful_keys": []})


async def values(request: Request, api: Api) -> Response:
    """Read many values: {"keys", "type"?, "withMetadata"?}; null for a missing key."""
    fields = await body(request)
    names = fields.get("keys")
    if not isinstance(names, list) or not names or len(names) > MOST_READ:
        raise ApiError(400, 10029, f"keys must be a list of 1 to {MOST_READ} keys")
    return ok({"values": {str(name): await _read(request, api, str(name), fields) for name in names}})


async def _read(request: Request, api: Api, key: str, options: dict[str, Json]) -> Json:
    try:
        stored = await api.namespaces.value(_id(request), key)
    except ApiError as error:
        if error.code != 10009:
            raise
        return None
    text = stored.body.decode(errors="replace")
    read = json.loads(text) if options.get("type") == "json" else text
    if not options.get("withMetadata"):
        return read
    return {"value": read, "metadata": json.loads(stored.headers.get("cf-kv-metadata", "null"))}


def _bulk(entry: Json) -> tuple[str, Entry]:
    if not isinstance(entry, dict) or not isinstance(entry.get("key"), str) or not isinstance(entry.get("value"), str):
        raise _unreadable("an entry needs key and value")
    try:
        content = base64.b64decode(entry["value"], validate=True) if entry.get("base64") else entry["value"].encode()
    except binascii.Error:
        raise _unreadable(f"the value of {entry['key']} is not base64") from None
    kept = entry.get("metadata")
    return entry["key"], Entry(
        value=content,
        expiration=_text(entry.get("expiration")),
        ttl=_text(entry.get("expiration_ttl")),
        metadata=None if kept is None else json.dumps(kept),
    )


async def _form(request: Request, expiry: dict[str, str | None]) -> Entry:
    try:
        async with request.form(max_part_size=LARGEST_VALUE + 1) as parts:
            found = {name: part if isinstance(part, str) else await part.read() for name, part in parts.multi_items()}
    except HTTPException as error:
        raise _unreadable(str(error.detail)) from None
    if "value" not in found:
        raise _unreadable("the part value is missing")
    read = {name: part.encode() if isinstance(part, str) else part for name, part in found.items()}
    kept = read.get("metadata")
    try:
        text = None if not kept else json.dumps(json.loads(kept))
    except ValueError:
        raise _unreadable("metadata is not JSON") from None
    return Entry(value=read["value"], metadata=text, **expiry)


async def _list(request: Request) -> list[Json]:
    try:
        found = json.loads(await request.body())
    except ValueError:
        raise _unreadable("not JSON") from None
    if not isinstance(found, list) or len(found) > MOST_WRITTEN:
        raise _unreadable(f"not a list of at most {MOST_WRITTEN}")
    return found


async def _title(request: Request) -> str:
    title = (await body(request)).get("title")
    return title if isinstance(title, str) else ""


def _unreadable(why: str) -> ApiError:
    return ApiError(400, 10012, f"could not parse request body: {why}")


def _text(given: Json) -> str | None:
    return None if given is None else str(given)


def _id(request: Request) -> str:
    identifier: str = request.path_params["namespace"]
    return identifier


def _key(request: Request) -> str:
    key: str = request.path_params["key"]
    return key


def _shape(namespace: Namespace) -> dict[str, Json]:
    return {"id": namespace.id, "title": namespace.title, "supports_url_encoding": True}
