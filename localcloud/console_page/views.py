"""The page's data as JSON: apps, deployments, Workers. It never holds a secret's value, sealed or not."""

from __future__ import annotations

import json
from typing import Any

from localcloud.cloudflare.api import Api
from localcloud.cloudflare.models import Version
from localcloud.digitalocean.models import App, Deployment
from localcloud.digitalocean.platform import Platform

Json = Any
SHOWN_DEPLOYMENTS = 10
LOG_KINDS = ("build", "deploy", "run", "run_restarted")


def apps(platform: Platform) -> list[Json]:
    """Return all apps, by name."""
    ordered = sorted(platform.shelf.apps.values(), key=lambda app: app.name)
    return [_app(platform, app) for app in ordered]


def _app(platform: Platform, app: App) -> Json:
    container = platform.runtime.containers.get(app.id)
    deployments = platform.shelf.deployments(app.id)[:SHOWN_DEPLOYMENTS]
    port = platform.cloud.edge_port
    return {
        "id": app.id,
        "name": app.name,
        "addresses": [f"http://{host}:{port}" for host in app.hosts] if app.active_id else [],
        "serves": container is not None and container.running,
        "pinned": bool(app.pinned_id),
        "envs": _envs(app.spec),
        "deployments": [_deployment(platform, app, each) for each in deployments],
    }


def _envs(spec: Json) -> list[Json]:
    given = [*spec.get("envs", []), *(env for service in spec.get("services", []) for env in service.get("envs", []))]
    return [_named(env["key"], env.get("value", ""), secret=env.get("type") == "SECRET") for env in given]


def _named(name: str, value: str, *, secret: bool, kind: str = "") -> Json:
    return {"name": name, "kind": kind, "secret": secret, "value": "" if secret else value}


def _deployment(platform: Platform, app: App, deployment: Deployment) -> Json:
    progress = deployment.progress.show()
    failed = next((leaf for leaf in deployment.progress.leaves() if leaf.reason), None)
    runtime = platform.runtime
    names = {kind: runtime.log_name(deployment, kind) for kind in LOG_KINDS}
    return {
        "id": deployment.id,
        "number": deployment.sequence,
        "phase": deployment.phase,
        "cause": deployment.cause,
        "active": deployment.id == app.active_id,
        "image": deployment.digest,
        "created": deployment.created_at,
        "changed": deployment.phase_at,
        "done": progress.get("success_steps", 0),
        "steps": progress["total_steps"],
        "error": failed.reason.get("message", "") if failed else "",
        "logs": {
            kind: runtime.book.growing(name)
            for kind, name in names.items()
            if runtime.book.exists(name) or runtime.book.growing(name)
        },
    }


def workers(api: Api, port: int) -> list[Json]:
    """Return all Workers, by name."""
    return [_worker(api, script.name, script.enabled, port) for script in api.records.scripts()]


def _worker(api: Api, name: str, enabled: bool, port: int) -> Json:
    deployment = api.records.deployment(name)
    shares = deployment.shares if deployment else []
    zones = api.zones
    versions = [(share, api.records.version(name, identifier)) for identifier, share in shares]
    main = max(versions, key=lambda each: each[0], default=(0.0, None))[1]
    hosts = [*([zones.worker_host(name)] if enabled else []), *zones.hosts_of(name)]
    return {
        "name": name,
        "addresses": [f"http://{host}:{port}" for host in hosts],
        "versions": [_version(share, version) for share, version in versions if version],
        "bindings": [_binding(binding) for binding in main.bindings] if main else [],
    }


def _version(share: float, version: Version) -> Json:
    return {"number": version.number, "id": version.id, "share": share, "created": version.created_on}


def _binding(binding: Json) -> Json:
    """Return a binding; its value only for kinds that are known to hold no secrets."""
    kind = binding["type"]
    values = {
        "plain_text": lambda: str(binding["text"]),
        "json": lambda: json.dumps(binding["json"]),
        "service": lambda: str(binding["service"]),
    }
    value = values[kind]() if kind in values else ""
    return _named(binding["name"], value, secret=kind == "secret_text", kind=kind)
