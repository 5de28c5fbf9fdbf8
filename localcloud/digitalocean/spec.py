"""Validation of app specs: each field by the schema, then the rules that hold between fields."""

from __future__ import annotations

import copy
from typing import Any

from localcloud.digitalocean.errors import invalid
from localcloud.digitalocean.field_checks import wrong
from localcloud.digitalocean.spec_schema import SPEC

ENV_LIMIT = 256 * 1024
DEFAULT_PORT = 8080


def checked(given: Any) -> dict[str, Any]:
    """Return the spec to store: validated, without nulls, and with App Platform's defaults.

    Raises ApiError 400 that names the first wrong field.
    """
    SPEC("", given)
    spec: dict[str, Any] = _without_nulls(given)
    services = spec.get("services") or []
    if not services:
        raise invalid("error validating app spec: an app needs at least one component")
    _check_envs("envs", spec.get("envs", []))
    for service in services:
        _check_service(service)
    return _completed(spec, services[0])


def _check_service(service: dict[str, Any]) -> None:
    sources = [name for name in ("image", "git", "github") if service.get(name)]
    if len(sources) != 1:
        raise wrong("services", f"component {service['name']!r} needs exactly one source: image, git or github")
    image = service.get("image", {})
    if image and bool(image.get("tag")) == bool(image.get("digest")):
        raise wrong("services.image", "needs either a tag or a digest")
    port, health = service.setdefault("http_port", DEFAULT_PORT), service.get("health_check", {})
    if health.get("port", port) != port:
        raise wrong("services.health_check.port", f'health check port "{health["port"]}" not found in internal_ports.')
    if "http_path" in health and not health["http_path"].startswith("/"):
        raise wrong("services.health_check.http_path", "must start with /")
    _check_envs("services.envs", service.get("envs", []))


def _check_envs(field: str, envs: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for env in envs:
        if env["key"] in seen:
            raise wrong(f"{field}.key", f"environment variable {env['key']} is given twice")
        seen.add(env["key"])
        if len(env.get("value", "").encode()) > ENV_LIMIT:
            raise wrong(f"{field}.value", f"environment variable {env['key']} is larger than {ENV_LIMIT} bytes")
        if "\0" in env.get("value", ""):
            raise wrong(f"{field}.value", f"environment variable {env['key']} holds a zero byte")


def _completed(spec: dict[str, Any], service: dict[str, Any]) -> dict[str, Any]:
    spec.setdefault("region", "nyc")
    spec.setdefault("features", ["buildpack-stack=ubuntu-22"])
    rule = {"match": {"path": {"prefix": "/"}}, "component": {"name": service["name"]}}
    rules = spec.setdefault("ingress", {}).setdefault("rules", [rule])
    for each in rules:
        if each["component"]["name"] != service["name"]:
            raise wrong("ingress.rules.component.name", f"component {each['component']['name']!r} does not exist")
    return spec


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return copy.copy(value)
