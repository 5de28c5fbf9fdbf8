"""R2 buckets over HTTP. A header names the jurisdiction; a bucket is found only in its own."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from localcloud.cloudflare.api import Api
from localcloud.cloudflare.buckets import Bucket
from localcloud.cloudflare.responses import body, ok, text

Json = Any
NEAREST = "WEUR"


async def buckets(request: Request, api: Api) -> Response:
    """List the R2 buckets."""
    wanted, jurisdiction = request.query_params.get("name_contains", ""), _jurisdiction(request)
    found = [each for each in api.buckets.all() if wanted in each.name and each.jurisdiction == jurisdiction]
    return ok({"buckets": [_shape(each) for each in found]})


async def add_bucket(request: Request, api: Api) -> Response:
    """Create a bucket: {"name", "locationHint"?, "storageClass"?}."""
    fields = await body(request)
    location, kind = str(fields.get("locationHint") or NEAREST), str(fields.get("storageClass") or "Standard")
    return ok(_shape(api.buckets.add(text(fields, "name"), location, kind, _jurisdiction(request))))


async def bucket(request: Request, api: Api) -> Response:
    """Show a bucket."""
    return ok(_shape(api.buckets.get(request.path_params["bucket"], _jurisdiction(request))))


async def patch_bucket(request: Request, api: Api) -> Response:
    """Set the storage class, from the header cf-r2-storage-class."""
    kind = request.headers.get("cf-r2-storage-class", "")
    return ok(_shape(api.buckets.set_class(request.path_params["bucket"], _jurisdiction(request), kind)))


async def drop_bucket(request: Request, api: Api) -> Response:
    """Delete an empty bucket."""
    await api.buckets.drop(request.path_params["bucket"], _jurisdiction(request))
    return ok({})


def _jurisdiction(request: Request) -> str:
    return request.headers.get("cf-r2-jurisdiction") or "default"


def _shape(bucket: Bucket) -> Json:
    return {
        "name": bucket.name,
        "creation_date": bucket.created_on,
        "location": bucket.location,
        "storage_class": bucket.storage_class,
        "jurisdiction": bucket.jurisdiction,
    }
