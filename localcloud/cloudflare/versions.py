"""Versions, deployments and secrets over HTTP."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from localcloud.cloudflare import shapes, uploads
from localcloud.cloudflare.api import Api
from localcloud.cloudflare.errors import ApiError, bad_body, no_binding
from localcloud.cloudflare.responses import body, listing, ok, text

Json = Any
SHOWN_DEPLOYMENTS = 10


def _name(request: Request) -> str:
    name: str = request.path_params["script"]
    return name


async def versions(request: Request, api: Api) -> Response:
    """List the versions."""
    name = api.workers.script(_name(request)).name
    summaries = [shapes.version_summary(version) for version in api.records.versions(name)]
    return listing(request, summaries, 10, key="items")


async def version(request: Request, api: Api) -> Response:
    """Show a version."""
    return ok(shapes.version(api.workers.version(_name(request), request.path_params["version"])))


async def add_version(request: Request, api: Api) -> Response:
    """Upload and check a version without traffic."""
    made = await api.workers.add_version(_name(request), await uploads.read(request))
    return ok(shapes.version(made))


async def patch_latest(request: Request, api: Api) -> Response:
    """Create a version like the newest one with other secrets, without traffic.

    {"env": {NAME: {type: "secret_text", text} or null}, "annotations": …}; null removes.
    """
    fields = await body(request)
    if unknown := set(fields) - {"env", "annotations"}:
        raise bad_body(f"{', '.join(sorted(unknown))} cannot be changed here")
    notes = {key: str(value) for key, value in (fields.get("annotations") or {}).items() if value is not None}
    made = await api.workers.add_secrets(_name(request), _changes(fields.get("env")), notes)
    return ok(shapes.version(made))


async def deployments(request: Request, api: Api) -> Response:
    """List the deployments, the one in force first."""
    name = api.workers.script(_name(request)).name
    shown = [shapes.deployment(deployment) for deployment in api.records.deployments(name)]
    return ok({"deployments": shown[:SHOWN_DEPLOYMENTS]})


async def deployment(request: Request, api: Api) -> Response:
    """Show a deployment."""
    return ok(shapes.deployment(_deployment(request, api)))


async def drop_deployment(request: Request, api: Api) -> Response:
    """Delete a deployment, except the one in force."""
    deployment = _deployment(request, api)
    newest = api.records.deployment(deployment.script)
    if newest and newest.id == deployment.id:
        raise ApiError(400, 10337, "The latest deployment cannot be deleted.")
    api.records.drop_deployment(deployment.script, deployment.id)
    return ok(None)


def _deployment(request: Request, api: Api) -> Any:
    name, identifier = api.workers.script(_name(request)).name, request.path_params["deployment"]
    for found in api.records.deployments(name):
        if found.id == identifier:
            return found
    raise ApiError(404, 10336, f"Deployment {identifier} could not be found.")


async def deploy(request: Request, api: Api) -> Response:
    """Deploy versions with shares of the traffic; the percentages add up to 100."""
    name = api.workers.script(_name(request)).name
    fields = await body(request)
    if fields.get("strategy", "percentage") != "percentage":
        raise bad_body("strategy must be percentage")
    shares = _shares(fields.get("versions"))
    notes = {key: str(value) for key, value in (fields.get("annotations") or {}).items() if value is not None}
    made = await api.workers.deploy(name, shares, notes, request.query_params.get("force") == "true")
    return ok(shapes.deployment(made))


def _shares(fields: Json) -> list[tuple[str, float]]:
    if not isinstance(fields, list) or not fields:
        raise bad_body("versions is missing or empty")
    try:
        shares = [(str(entry["version_id"]), float(entry["percentage"])) for entry in fields]
    except (TypeError, KeyError, ValueError):
        raise bad_body("versions must be a list of {version_id, percentage}") from None
    total = sum(percentage for _, percentage in shares)
    if abs(total - 100) > 0.01 or any(percentage <= 0 for _, percentage in shares):
        raise ApiError(400, 10021, f"The percentages of a deployment must be above 0 and add up to 100, not {total:g}.")
    if len(shares) > 2 or len({version for version, _ in shares}) != len(shares):
        raise ApiError(400, 10021, "A deployment can have one or two different versions.")
    return shares


async def secrets(request: Request, api: Api) -> Response:
    """List the secrets: names, never values."""
    script = api.workers.script(_name(request))
    return ok([_secret(name) for name in sorted(api.workers.running(script.name).secrets)])


async def secret(request: Request, api: Api) -> Response:
    """Show a secret's name."""
    script, name = api.workers.script(_name(request)), request.path_params["secret"]
    if name not in api.workers.running(script.name).secrets:
        raise no_binding(name)
    return ok(_secret(name))


async def put_secret(request: Request, api: Api) -> Response:
    """Set a secret."""
    fields = await body(request)
    name = text(fields, "name")
    if fields.get("type", "secret_text") != "secret_text":
        raise bad_body("type must be secret_text")
    if not isinstance(fields.get("text"), str):
        raise bad_body("text is missing or not a text")
    await api.workers.set_secrets(_name(request), {name: fields["text"]})
    return ok(_secret(name))


async def put_secrets(request: Request, api: Api) -> Response:
    """Set many secrets: {"secrets": {NAME: {name, type, text} or null}}; null removes."""
    made = await api.workers.set_secrets(_name(request), _changes((await body(request)).get("secrets")))
    return ok([_secret(name) for name in sorted(made.secrets)])


def _changes(secrets: Json) -> dict[str, str | None]:
    if not isinstance(secrets, dict):
        raise bad_body("secrets are missing or no object")
    changes: dict[str, str | None] = {}
    for name, entry in secrets.items():
        value = entry.get("text") if isinstance(entry, dict) else None
        if entry is not None and not isinstance(value, str):
            raise bad_body(f"secret {name} needs a text")
        changes[name] = value
    return changes


async def drop_secret(request: Request, api: Api) -> Response:
    """Delete a secret."""
    await api.workers.set_secrets(_name(request), {request.path_params["secret"]: None})
    return ok(None)


def _secret(name: str) -> Json:
    return {"name": name, "type": "secret_text"}
