"""D1 databases and queries over HTTP."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from localcloud.cloudflare.api import Api
from localcloud.cloudflare.databases import Database
from localcloud.cloudflare.errors import ApiError
from localcloud.cloudflare.responses import body, listing, ok

Json = Any


async def databases(request: Request, api: Api) -> Response:
    """List the D1 databases."""
    name = request.query_params.get("name")
    return listing(request, [_shape(each) for each in api.databases.all() if name in (None, each.name)], 100)


async def add_database(request: Request, api: Api) -> Response:
    """Create a database: {"name", "primary_location_hint"?, "jurisdiction"?}."""
    fields = await body(request)
    name = fields.get("name")
    if not isinstance(name, str) or not name.strip():
        raise ApiError(400, 7400, "The request is malformed: name is missing")
    made = api.databases.add(name, fields.get("jurisdiction"))
    if "read_replication" in fields:
        made = api.databases.set_replication(made.id, _mode(fields))
    return ok(await _measured(api, made))


async def database(request: Request, api: Api) -> Response:
    """Show a database, by its id or its name."""
    return ok(await _measured(api, api.databases.get(_key(request))))


async def change_database(request: Request, api: Api) -> Response:
    """Change the replication: {"read_replication": {"mode"}}."""
    return ok(await _measured(api, api.databases.set_replication(_key(request), _mode(await body(request)))))


async def drop_database(request: Request, api: Api) -> Response:
    """Delete a database with all its tables."""
    await api.databases.drop(_key(request))
    return ok(None)


async def query(request: Request, api: Api) -> Response:
    """Run {"sql", "params"?}, or {"batch": [the same]}; answer with rows as objects."""
    return ok(await api.databases.query(_key(request), await _queries(request)))


async def raw(request: Request, api: Api) -> Response:
    """Run the same queries; answer with columns and rows."""
    return ok(await api.databases.query(_key(request), await _queries(request), rows=True))


async def _queries(request: Request) -> list[Json]:
    wanted = await body(request)
    batch = wanted.get("batch")
    return batch if isinstance(batch, list) else [wanted]


def _mode(fields: dict[str, Json]) -> str:
    replication = fields.get("read_replication")
    return str(replication.get("mode")) if isinstance(replication, dict) else ""


def _key(request: Request) -> str:
    key: str = request.path_params["database"]
    return key


async def _measured(api: Api, database: Database) -> Json:
    tables, size = await api.databases.measure(database)
    replication = {"mode": database.replication}
    return _shape(database) | {"num_tables": tables, "file_size": size, "read_replication": replication}


def _shape(database: Database) -> Json:
    base = {"uuid": database.id, "name": database.name, "version": "production", "created_at": database.created_on}
    return base | ({"jurisdiction": database.jurisdiction} if database.jurisdiction else {})
