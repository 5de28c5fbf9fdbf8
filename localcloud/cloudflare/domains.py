"""Zones, DNS records, custom domains and routes over HTTP."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from localcloud.cloudflare import shapes
from localcloud.cloudflare.api import Api
from localcloud.cloudflare.errors import bad_body
from localcloud.cloudflare.responses import body, listing, ok, text
from localcloud.cloudflare.zones import Domain

Json = Any


async def zones(request: Request, api: Api) -> Response:
    """List the zones, filtered by name, account.id and status."""
    query = request.query_params
    shown = [shapes.zone(zone, api.account_id) for zone in api.zones.all()]
    if name := query.get("name"):
        shown = [zone for zone in shown if zone["name"] == name]
    if (account := query.get("account.id")) and account != api.account_id:
        shown = []
    if status := query.get("status"):
        shown = [zone for zone in shown if zone["status"] == status]
    return listing(request, shown)


async def zone(request: Request, api: Api) -> Response:
    """Show a zone."""
    return ok(shapes.zone(api.zones.get(request.path_params["zone"]), api.account_id))


async def add_zone(request: Request, api: Api) -> Response:
    """Create a zone, which is active at once."""
    fields = await body(request)
    return ok(shapes.zone(api.zones.add(text(fields, "name").lower()), api.account_id))


async def drop_zone(request: Request, api: Api) -> Response:
    """Delete a zone with its custom domains and routes."""
    identifier = request.path_params["zone"]
    api.zones.drop(identifier)
    await _readdress_all(api)
    return ok({"id": identifier})


async def dns(request: Request, api: Api) -> Response:
    """List a zone's DNS records."""
    records = api.zones.dns(api.zones.get(request.path_params["zone"]).id)
    if name := request.query_params.get("name"):
        records = [record for record in records if record["name"] == name]
    return listing(request, records, 100)


async def add_dns(request: Request, api: Api) -> Response:
    """Create a DNS record: it is stored, so that custom domains can conflict with it."""
    record = await body(request)
    text(record, "name")
    return ok(api.zones.add_dns(request.path_params["zone"], record))


async def drop_dns(request: Request, api: Api) -> Response:
    """Delete a DNS record."""
    api.zones.drop_dns(request.path_params["zone"], request.path_params["record"])
    return ok({"id": request.path_params["record"]})


async def domains(request: Request, api: Api) -> Response:
    """List the custom domains, filtered by the fields of a domain."""
    shown = [shapes.domain(domain) for domain in api.zones.domains()]
    for key in ("hostname", "service", "environment", "zone_id", "zone_name"):
        if value := request.query_params.get(key):
            shown = [domain for domain in shown if domain[key] == value]
    return listing(request, shown, 100)


async def domain(request: Request, api: Api) -> Response:
    """Show a custom domain."""
    return ok(shapes.domain(api.zones.domain(request.path_params["domain"])))


async def put_domain(request: Request, api: Api) -> Response:
    """Attach a hostname to a Worker."""
    fields = await body(request)
    made = await _attach(api, text(fields, "hostname"), text(fields, "service"), fields)
    return ok(made)


async def drop_domain(request: Request, api: Api) -> Response:
    """Detach a custom domain."""
    gone = api.zones.detach(request.path_params["domain"])
    await api.workers.runtime.readdress(gone.script)
    return ok(None)


async def put_script_domains(request: Request, api: Api) -> Response:
    """Replace all custom domains of a Worker, for wrangler."""
    name = api.workers.script(request.path_params["script"]).name
    fields = await body(request)
    origins = fields.get("origins")
    if not isinstance(origins, list):
        raise bad_body("origins is missing or not a list")
    hosts = {text(origin, "hostname").lower() for origin in origins}
    made = [await _attach(api, text(origin, "hostname"), name, {**fields, **origin}) for origin in origins]
    if left_out := _left_out(api, name, hosts):
        for domain in left_out:
            api.zones.detach(domain.id)
        await api.workers.runtime.readdress(name)
    return ok(made)


async def change_script_domains(request: Request, api: Api) -> Response:
    """Compare the given domains with the current ones; with replace_state, also list those to remove."""
    name = request.path_params["script"]
    origins: Json = await request.json()
    known = {domain.hostname: domain for domain in api.zones.domains()}
    hosts = [str(origin["hostname"]).lower() for origin in origins]
    changed = [
        {**shapes.domain(known[host]), "modified": known[host].script != name} for host in hosts if host in known
    ]
    added = [{"hostname": host} for host in hosts if host not in known]
    clashes = [entry for entry in added if _has_record(api, entry["hostname"])]
    replaces = request.query_params.get("replace_state") == "true"
    removed = [shapes.domain(each) for each in _left_out(api, name, set(hosts))] if replaces else []
    return ok({"added": added, "removed": removed, "updated": changed, "conflicting": clashes})


def _left_out(api: Api, script: str, hosts: set[str]) -> list[Domain]:
    """Return the Worker's custom domains that are not among these hosts."""
    return [each for each in api.zones.domains() if each.script == script and each.hostname not in hosts]


def _has_record(api: Api, host: str) -> bool:
    zone = api.zones.of_host(host)
    return zone is not None and any(record["name"] == host for record in api.zones.dns(zone.id))


async def _attach(api: Api, hostname: str, script: str, options: dict[str, Json]) -> Json:
    before = next((domain for domain in api.zones.domains() if domain.hostname == hostname.lower()), None)
    made = api.zones.attach(hostname, script, options)
    if before and before.script != script:
        await api.workers.runtime.readdress(before.script)
    await api.workers.runtime.readdress(script)
    return shapes.domain(made)


async def routes(request: Request, api: Api) -> Response:
    """List a zone's routes."""
    zone_id = api.zones.get(request.path_params["zone"]).id
    return listing(request, [shapes.route(route) for route in api.zones.routes(zone_id)], 100)


async def route(request: Request, api: Api) -> Response:
    """Show a route."""
    return ok(shapes.route(api.zones.route(request.path_params["zone"], request.path_params["route"])))


async def put_route(request: Request, api: Api) -> Response:
    """Create or change a route."""
    zone_id, identifier = request.path_params["zone"], request.path_params.get("route")
    fields = await body(request)
    before = api.zones.route(zone_id, identifier) if identifier else None
    made = api.zones.put_route(zone_id, identifier, text(fields, "pattern"), fields.get("script") or None)
    for name in {made.script, before.script if before else None} - {None}:
        await api.workers.runtime.readdress(str(name))
    return ok(shapes.route(made))


async def drop_route(request: Request, api: Api) -> Response:
    """Delete a route."""
    gone = api.zones.drop_route(request.path_params["zone"], request.path_params["route"])
    if gone.script:
        await api.workers.runtime.readdress(gone.script)
    return ok({"id": gone.id})


async def script_routes(request: Request, api: Api) -> Response:
    """List the routes that lead to a Worker."""
    name = api.workers.script(request.path_params["script"]).name
    names = {zone.id: zone.name for zone in api.zones.all()}
    shown = [
        {**shapes.route(route), "zone_id": route.zone_id, "zone_name": names[route.zone_id]}
        for route in api.zones.routes()
        if route.script == name
    ]
    return ok(shown)


async def put_script_routes(request: Request, api: Api) -> Response:
    """Replace all routes of a Worker, for wrangler."""
    name = api.workers.script(request.path_params["script"]).name
    patterns: Json = await request.json()
    if not isinstance(patterns, list):
        raise bad_body("not a list of routes")
    made = api.zones.replace_routes(name, [(text(route, "pattern"), route) for route in patterns])
    await api.workers.runtime.readdress(name)
    return ok([shapes.route(route) for route in made])


async def _readdress_all(api: Api) -> None:
    for script in api.records.scripts():
        await api.workers.runtime.readdress(script.name)
