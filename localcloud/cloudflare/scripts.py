"""Scripts over HTTP: upload, content, settings, subdomain, deletion, and the older service endpoints."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from localcloud.cloudflare import shapes, uploads
from localcloud.cloudflare.api import Api
from localcloud.cloudflare.errors import bad_body
from localcloud.cloudflare.models import Script, Version
from localcloud.cloudflare.responses import body, listing, ok

Json = Any
BOUNDARY = "----oracle-net-module-boundary"


def _name(request: Request) -> str:
    name: str = request.path_params["script"]
    return name


def _serving(api: Api, script: Script) -> Version | None:
    return api.workers.running(script.name) if api.records.latest(script.name) else None


async def scripts(request: Request, api: Api) -> Response:
    """List the Workers."""
    return listing(request, [shapes.script(found, _serving(api, found)) for found in api.records.scripts()], 1000)


async def put(request: Request, api: Api) -> Response:
    """Upload a version that serves at once."""
    script, version = await api.workers.upload(_name(request), await uploads.read(request))
    return ok(shapes.uploaded(script, version))


async def content(request: Request, api: Api) -> Response:
    """Download the code as uploaded; 204 for a Worker of assets only.

    One module is sent plain, several as a multipart form; `cf-entrypoint` names the main one.
    """
    name = api.workers.script(_name(request)).name
    version = api.workers.running(name)
    if not version.parts:
        return Response(status_code=204)
    headers = {"etag": version.etag} | ({"cf-entrypoint": version.main} if version.main else {})
    if len(version.parts) == 1:
        part = version.parts[0]
        kind = "application/javascript" if version.classic else part.content_type
        return Response(api.workers.runtime.blobs.module(part.digest).read_bytes(), media_type=kind, headers=headers)
    pieces = []
    for part in version.parts:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part.name}"; filename="{part.name}"\r\n'
        head += f"Content-Type: {part.content_type}\r\n\r\n"
        pieces += [head.encode(), api.workers.runtime.blobs.module(part.digest).read_bytes(), b"\r\n"]
    pieces.append(f"--{BOUNDARY}--\r\n".encode())
    headers["content-type"] = f"multipart/form-data; boundary={BOUNDARY}"
    return Response(b"".join(pieces), headers=headers)


async def put_content(request: Request, api: Api) -> Response:
    """Replace the code and nothing else."""
    name = api.workers.script(_name(request)).name
    upload = await uploads.read(request)
    before = api.workers.running(name)
    settings_before = {
        "bindings": [{"name": binding["name"], "type": "inherit"} for binding in before.bindings],
        "compatibility_date": before.compatibility_date,
        "compatibility_flags": before.compatibility_flags,
        "usage_model": before.usage_model,
        "limits": before.limits,
        "placement": before.placement,
        "keep_assets": before.site is not None,
        **api.workers.script(name).settings,
    }
    changed = uploads.Upload(metadata={**settings_before, **upload.metadata}, modules=upload.modules)
    script, version = await api.workers.upload(name, changed)
    return ok(shapes.uploaded(script, version))


async def settings(request: Request, api: Api) -> Response:
    """Show the settings of the Worker and its serving version."""
    script = api.workers.script(_name(request))
    return ok(shapes.settings(script, api.workers.running(script.name)))


async def patch_settings(request: Request, api: Api) -> Response:
    """Change settings: a form with a part `settings`, or JSON."""
    name = _name(request)
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        wanted, _ = await uploads.form(request, "settings")
    else:
        wanted = await body(request)
    version = await api.workers.patch(name, wanted)
    return ok(shapes.settings(api.workers.script(name), version))


async def script_settings(request: Request, api: Api) -> Response:
    """Show the settings that belong to no version."""
    return ok(shapes.script_settings(api.workers.script(_name(request))))


async def patch_script_settings(request: Request, api: Api) -> Response:
    """Change the settings that belong to no version; nothing is deployed."""
    script = await api.workers.patch_script(_name(request), await body(request))
    return ok(shapes.script_settings(script))


async def usage_model(request: Request, api: Api) -> Response:
    """Show the usage model."""
    script = api.workers.script(_name(request))
    return ok({"usage_model": api.workers.running(script.name).usage_model})


async def subdomain(request: Request, api: Api) -> Response:
    """Show whether the Worker has an address below workers.localhost."""
    return ok(_subdomain(api.workers.script(_name(request))))


async def set_subdomain(request: Request, api: Api) -> Response:
    """Turn the Worker's address below workers.localhost on or off."""
    wanted = await body(request)
    enabled, previews = wanted.get("enabled"), wanted.get("previews_enabled")
    if any(value not in (None, True, False) for value in (enabled, previews)):
        raise bad_body("enabled and previews_enabled must be booleans")
    return ok(_subdomain(await api.workers.set_subdomain(_name(request), enabled, previews)))


async def drop_subdomain(request: Request, api: Api) -> Response:
    """Turn the Worker's address below workers.localhost off."""
    return ok(_subdomain(await api.workers.set_subdomain(_name(request), False, False)))


def _subdomain(script: Script) -> Json:
    return {"enabled": script.enabled, "previews_enabled": script.previews_enabled}


async def delete(request: Request, api: Api) -> Response:
    """Delete a Worker; ?force=true also while others are bound to it."""
    await api.workers.delete(_name(request), request.query_params.get("force") == "true")
    api.tails.forget(_name(request))
    return ok(None)


async def references(request: Request, api: Api) -> Response:
    """List the Workers that are bound to this one."""
    name = api.workers.script(_name(request)).name
    incoming = [
        {"name": binding["name"], "service": other, "environment": "production", "pages_function": False}
        for other in api.workers.references(name)
        for binding in api.workers.running(other).bindings
        if binding["type"] == "service" and binding["service"] == name
    ]
    empty: Json = {"incoming": [], "outgoing": []}
    return ok({"services": {"incoming": incoming, "outgoing": []}, "durable_objects": [], "dispatch_outbounds": [],
               "queues": empty})  # fmt: skip


async def nothing(request: Request, _: Api) -> Response:
    """List the tail consumers: always empty here."""
    return listing(request, [])


async def schedules(request: Request, api: Api) -> Response:
    """List the cron triggers."""
    return ok({"schedules": _schedules(api, api.workers.script(_name(request)).name)})


async def put_schedules(request: Request, api: Api) -> Response:
    """Replace the cron triggers: [{"cron"}]. They really run."""
    name = api.workers.script(_name(request)).name
    try:
        crons = [entry["cron"] for entry in json.loads(await request.body())]
    except (ValueError, TypeError, KeyError):
        crons = [None]
    if not all(isinstance(cron, str) for cron in crons):
        raise bad_body('not a list of {"cron": "a text"}')
    api.schedules.replace(name, crons)
    return ok({"schedules": _schedules(api, name)})


def _schedules(api: Api, name: str) -> Json:
    found = api.schedules.of(name)
    return [{"cron": s.cron, "created_on": s.created_on, "modified_on": s.modified_on} for s in found]


async def service(request: Request, api: Api) -> Response:
    """Show a Worker as a service."""
    script = api.workers.script(_name(request))
    return ok(shapes.service(script, _serving(api, script)))


async def services(request: Request, api: Api) -> Response:
    """List the Workers as services."""
    return listing(request, [shapes.service(found, _serving(api, found)) for found in api.records.scripts()], 1000)


async def environment(request: Request, api: Api) -> Response:
    """Show the service's only environment."""
    script = api.workers.script(_name(request))
    return ok(shapes.environment(script, _serving(api, script)))


async def bindings(request: Request, api: Api) -> Response:
    """List the bindings."""
    script = api.workers.script(_name(request))
    return ok(api.workers.running(script.name).bindings)
