"""Validation of app specs: the fields that App Platform accepts, and those that this cloud carries out.

Field names and values are those of DigitalOcean's app spec reference. Some fields are carried out or only stored
(prices, alerts, log destinations). Others exist but would have no effect here, so they are refused. Unknown fields are
refused too.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from localcloud.digitalocean.errors import ApiError, invalid
from localcloud.repositories import NAME as REPOSITORY

Kind = Callable[[str, Any], None]
Fields = Mapping[str, Kind]

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
ENV_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HOST = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
ENV_LIMIT = 256 * 1024
DEFAULT_PORT = 8080
NOT_HERE = "is part of App Platform but not of the local cloud"


def wrong(field: str, message: str) -> ApiError:
    """Build the refusal of one field; list positions are left out of its name, as App Platform does."""
    return invalid(f'error validating app spec field "{field}": {message}')


def text(*choices: str) -> Kind:
    """Accept a string, one of the choices if there are any."""

    def check(field: str, value: Any) -> None:
        if not isinstance(value, str):
            raise wrong(field, "must be a string")
        if choices and value not in choices:
            raise wrong(field, f"must be one of {', '.join(choices)}, not {value!r}")

    return check


def matching(pattern: re.Pattern[str], what: str) -> Kind:
    """Accept a string that matches the pattern."""

    def check(field: str, value: Any) -> None:
        text()(field, value)
        if not pattern.fullmatch(value):
            raise wrong(field, what)

    return check


def integer(low: int, high: int) -> Kind:
    """Accept a whole number in a range, both ends included."""

    def check(field: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong(field, "must be a whole number")
        if not low <= value <= high:
            raise wrong(field, f"must be between {low} and {high}, not {value}")

    return check


def public(field: str, value: Any) -> None:
    """Accept a repository's address without credentials: they would show in process lists and logs."""
    text()(field, value)
    if urlsplit(value).password is not None:
        raise wrong(field, "must be a public repository: no password in its address")


def number(field: str, value: Any) -> None:
    """Accept any number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(field, "must be a number")


def flag(field: str, value: Any) -> None:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise wrong(field, "must be true or false")


def off(field: str, value: Any) -> None:
    """Accept only the off position of a switch."""
    flag(field, value)
    if value:
        raise wrong(field, NOT_HERE)


def anything(field: str, value: Any) -> None:
    """Accept any value; it is stored and returned unchanged."""


def single(field: str, value: Any) -> None:
    """Accept an instance count of one."""
    if value != 1 or isinstance(value, bool):
        raise wrong(field, f"the local cloud runs one instance of a component, not {value}")


def absent(field: str, value: Any) -> None:
    """Refuse a field of the real API that would have no effect here."""
    if value not in ([], {}, "", 0, False):
        raise wrong(field, NOT_HERE)


def many(kind: Kind, longest: int = 1000) -> Kind:
    """Accept a list of one kind."""

    def check(field: str, value: Any) -> None:
        if not isinstance(value, list):
            raise wrong(field, "must be a list")
        if len(value) > longest:
            raise wrong(field, f"the local cloud runs {longest} of these, not {len(value)}")
        for item in value:
            kind(field, item)

    return check


def record(fields: Fields, *required: str) -> Kind:
    """Accept an object with known fields only; null counts as missing."""

    def check(field: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise wrong(field or "spec", "must be an object")
        for name, item in value.items():
            inner = f"{field}.{name}" if field else name
            if name not in fields:
                raise wrong(inner, "unknown field")
            if item is not None:
                fields[name](inner, item)
        for name in required:
            if value.get(name) in (None, ""):
                raise wrong(f"{field}.{name}" if field else name, "is required")

    return check


NAMED = matching(NAME, "must be 2 to 32 characters: lower-case letters, digits and dashes, starting with a letter")
ENV = record(
    {
        "key": matching(ENV_KEY, "must be letters, digits and underscores, not starting with a digit"),
        "value": text(),
        "scope": text("UNSET", "RUN_TIME", "BUILD_TIME", "RUN_AND_BUILD_TIME"),
        "type": text("GENERAL", "SECRET"),
    },
    "key",
)
APP_RULES = (
    "DEPLOYMENT_FAILED",
    "DEPLOYMENT_LIVE",
    "DEPLOYMENT_STARTED",
    "DEPLOYMENT_CANCELED",
    "DOMAIN_FAILED",
    "DOMAIN_LIVE",
    "AUTOSCALE_FAILED",
    "AUTOSCALE_SUCCEEDED",
)
COMPONENT_RULES = ("CPU_UTILIZATION", "MEM_UTILIZATION", "RESTART_COUNT")
"""Each rule belongs to one level (godo's AppAlertSpecRule lists them)."""


def alert(rules: tuple[str, ...]) -> Kind:
    """Accept an alert with one of these rules."""
    operators = ("GREATER_THAN", "LESS_THAN", "UNSPECIFIED_OPERATOR")
    windows = ("FIVE_MINUTES", "TEN_MINUTES", "THIRTY_MINUTES", "ONE_HOUR", "UNSPECIFIED_WINDOW")
    fields = {"rule": text(*rules), "disabled": flag, "operator": text(*operators), "value": number}
    return record(fields | {"window": text(*windows)}, "rule")


IMAGE = record(
    {
        "registry_type": text("DOCR", "DOCKER_HUB", "GHCR"),
        "registry": text(),
        "repository": text(),
        "tag": text(),
        "digest": matching(DIGEST, "must be sha256: and 64 hexadecimal digits"),
        "registry_credentials": text(),
        "deploy_on_push": record({"enabled": off}),
    },
    "registry_type",
    "repository",
)
HEALTH = record(
    {
        "http_path": text(),
        "path": text(),
        "port": integer(1, 65535),
        "initial_delay_seconds": integer(0, 3600),
        "period_seconds": integer(1, 300),
        "timeout_seconds": integer(1, 120),
        "success_threshold": integer(1, 50),
        "failure_threshold": integer(1, 50),
    }
)
SERVICE = record(
    {
        "name": NAMED,
        "image": IMAGE,
        "git": record({"repo_clone_url": public, "branch": text()}, "repo_clone_url", "branch"),
        "github": record(
            {"repo": matching(REPOSITORY, "must be OWNER/REPO"), "branch": text(), "deploy_on_push": flag},
            "repo",
            "branch",
        ),
        "gitlab": absent,
        "bitbucket": absent,
        "source_dir": text(),
        "dockerfile_path": text(),
        "build_command": text(),
        "run_command": text(),
        "environment_slug": text(),
        "envs": many(ENV),
        "instance_size_slug": text(),
        "instance_count": single,
        "autoscaling": absent,
        "http_port": integer(1, 65535),
        "protocol": text("HTTP"),
        "routes": absent,
        "health_check": HEALTH,
        "liveness_health_check": absent,
        "cors": absent,
        "internal_ports": absent,
        "alerts": many(alert(COMPONENT_RULES)),
        "log_destinations": anything,
        "termination": record({"drain_seconds": integer(1, 110), "grace_period_seconds": integer(1, 600)}),
        "inactivity_sleep": absent,
    },
    "name",
)
MATCH = record({"path": record({"prefix": text("/")}, "prefix"), "authority": absent})
RULE = record(
    {
        "match": MATCH,
        "component": record({"name": text(), "preserve_path_prefix": flag, "rewrite": absent}, "name"),
        "redirect": absent,
        "cors": absent,
    },
    "component",
)
DOMAIN = record(
    {
        "domain": matching(HOST, "must be a domain name"),
        "type": text("UNSPECIFIED", "DEFAULT", "PRIMARY", "ALIAS"),
        "wildcard": off,
        "zone": text(),
        "certificate": text(),
        "minimum_tls_version": text("1.2", "1.3"),
    },
    "domain",
)
SPEC = record(
    {
        "name": NAMED,
        "region": text("ams", "atl", "blr", "fra", "lon", "nyc", "sfo", "sgp", "syd", "tor"),
        "services": many(SERVICE, longest=1),
        "static_sites": absent,
        "workers": absent,
        "jobs": absent,
        "functions": absent,
        "databases": absent,
        "domains": many(DOMAIN),
        "envs": many(ENV),
        "alerts": many(alert(APP_RULES)),
        "ingress": record(
            {"rules": many(RULE, longest=1), "load_balancer": text("DIGITALOCEAN"), "secure_header": absent}
        ),
        "egress": anything,
        "features": many(text()),
        "maintenance": record({"enabled": off, "archive": off, "offline_page_url": text()}),
        "vpc": anything,
        "disable_edge_cache": flag,
        "disable_email_obfuscation": flag,
        "enhanced_threat_control_enabled": flag,
    },
    "name",
)


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
