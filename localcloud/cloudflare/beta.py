"""Workers as objects with an id: the newer endpoints below workers/workers, which deploy nothing.

The id is the script's tag; clients may also send the name. Deployments are made at the script's own endpoint.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from localcloud.cloudflare import uploads
from localcloud.cloudflare.api import Api
from localcloud.cloudflare.errors import bad_body, invalid, no_worker
from localcloud.cloudflare.models import Script, Version
from localcloud.cloudflare.responses import body, listing, ok, text

Json = Any
PLAIN = ("annotations", "assets", "bindings", "compatibility_date", "compatibility_flags", "limits", "main_module",
         "placement", "usage_model")  # fmt: skip
WORKER = {"name", "logpush", "observability", "subdomain", "tags", "tail_consumers"}
LOGS = {"enabled": False, "head_sampling_rate": 1, "invocation_logs": True, "persist": True, "destinations": []}
TRACES = {"enabled": False, "head_sampling_rate": 1, "persist": True, "destinations": []}


def _script(request: Request, api: Api) -> Script:
    wanted = request.path_params["script"]
    for script in api.records.scripts():
        if wanted in (script.tag, script.name):
            return script
    raise no_worker()


async def workers(request: Request, api: Api) -> Response:
    """List the Workers."""
    return listing(request, [shape(script, api) for script in api.records.scripts()], 10)


async def worker(request: Request, api: Api) -> Response:
    """Show a Worker."""
    return ok(shape(_script(request, api), api))


async def add_worker(request: Request, api: Api) -> Response:
    """Create a Worker without versions."""
    settings = await _wanted(request)
    name = text(settings, "name")
    if api.records.script(name) is not None:
        raise invalid(f"a Worker with the name {name} already exists")
    await api.workers.add_script(name)
    return ok(shape(await _apply(api, name, settings), api))


async def put_worker(request: Request, api: Api) -> Response:
    """Change a Worker's settings; the name cannot change."""
    script = _script(request, api)
    settings = await _wanted(request)
    if settings.get("name", script.name) != script.name:
        raise invalid("a Worker cannot be renamed here: make another one")
    return ok(shape(await _apply(api, script.name, settings), api))


async def drop_worker(request: Request, api: Api) -> Response:
    """Delete a Worker."""
    name = _script(request, api).name
    await api.workers.delete(name, request.query_params.get("force") == "true")
    api.tails.forget(name)
    return ok(None)


async def _wanted(request: Request) -> dict[str, Json]:
    wanted = await body(request)
    if unknown := sorted(set(wanted) - WORKER):
        raise bad_body(f"unknown key: {', '.join(unknown)}")
    return wanted


async def _apply(api: Api, name: str, changes: dict[str, Json]) -> Script:
    settings: dict[str, Json] = {key: changes[key] for key in ("logpush", "observability", "tags") if key in changes}
    if "tail_consumers" in changes:
        settings["tail_consumers"] = [{"service": entry["name"]} for entry in changes["tail_consumers"] or []] or None
    await api.workers.patch_script(name, settings)
    subdomain = changes.get("subdomain") or {}
    return await api.workers.set_subdomain(name, subdomain.get("enabled"), subdomain.get("previews_enabled"))


async def versions(request: Request, api: Api) -> Response:
    """List a Worker's versions."""
    newest_first = api.records.versions(_script(request, api).name)
    return listing(request, [version_shape(version) for version in newest_first], 10)


async def version(request: Request, api: Api) -> Response:
    """Show a version; with include=modules also the code."""
    found = api.workers.version(_script(request, api).name, request.path_params["version"])
    modules = request.query_params.get("include") == "modules"
    return ok(version_shape(found) | (_modules(found, api) if modules else {}))


async def add_version(request: Request, api: Api) -> Response:
    """Create a version: modules in base64, and the settings."""
    name = _script(request, api).name
    fields = await body(request)
    metadata = {key: fields[key] for key in PLAIN if fields.get(key) is not None}
    modules = [_uploaded(module) for module in fields.get("modules") or []]
    made = await api.workers.add_version(name, uploads.checked(uploads.ordered(metadata, modules)))
    return ok(version_shape(made) | _modules(made, api))


def _uploaded(module: Json) -> uploads.Uploaded:
    try:
        content = base64.b64decode(module["content_base64"], validate=True)
        kind = str(module["content_type"]).split(";")[0].strip()
        return uploads.Uploaded(name=str(module["name"]), content_type=kind, content=content)
    except (TypeError, KeyError, binascii.Error):
        raise bad_body("a module needs name, content_type and content_base64") from None


def shape(script: Script, api: Api) -> Json:
    """Return a Worker in the JSON form of these endpoints."""
    deployment = api.records.deployment(script.name)
    observability = script.settings["observability"] or {}
    base = {"enabled": False, "head_sampling_rate": 1} | observability
    logs = LOGS | {"enabled": base["enabled"]} | (observability.get("logs") or {})
    traces = TRACES | (observability.get("traces") or {})
    domains = [{"id": domain.id, "hostname": domain.hostname, "zone_id": domain.zone_id, "zone_name": domain.zone_name}
               for domain in api.zones.domains() if domain.script == script.name]  # fmt: skip
    bound = [{"id": api.workers.script(name).tag, "name": name} for name in api.workers.references(script.name)]
    empty: dict[str, Json] = {"dispatch_namespace_outbounds": [], "durable_objects": [], "queues": []}
    return {
        "id": script.tag,
        "name": script.name,
        "created_on": script.created_on,
        "updated_on": script.modified_on,
        "deployed_on": deployment.created_on if deployment else None,
        "logpush": script.settings["logpush"],
        "tags": script.settings["tags"],
        "observability": base | {"logs": logs, "traces": traces},
        "subdomain": {"enabled": script.enabled, "previews_enabled": script.previews_enabled},
        "tail_consumers": [{"name": entry["service"]} for entry in script.settings["tail_consumers"] or []],
        "references": empty | {"domains": domains, "workers": bound},
    }


def version_shape(version: Version) -> Json:
    """Return a version in the JSON form of these endpoints, without the code."""
    optional: dict[str, Json] = {
        "compatibility_date": version.compatibility_date or None,
        "limits": version.limits,
        "main_module": version.main,
        "assets": {"config": version.site.config} if version.site else None,
        "placement": version.placement or None,
    }
    return {
        "id": version.id,
        "number": version.number,
        "created_on": version.created_on,
        "source": version.source,
        "usage_model": version.usage_model,
        "compatibility_flags": version.compatibility_flags,
        "annotations": {"workers/triggered_by": "create_version_api", **version.annotations},
        "bindings": version.bindings,
        "startup_time_ms": version.startup_time_ms,
        "urls": [],
        **{key: value for key, value in optional.items() if value is not None},
    }


def _modules(version: Version, api: Api) -> Json:
    if not version.parts:
        return {}
    modules = [
        {
            "name": part.name,
            "content_type": part.content_type,
            "content_base64": base64.b64encode(api.workers.runtime.blobs.module(part.digest).read_bytes()).decode(),
        }
        for part in version.parts
    ]
    return {"modules": modules}
