"""The API's JSON forms of scripts, versions, deployments, zones and domains. None holds a secret's text."""

from __future__ import annotations

from typing import Any

from localcloud.cloudflare.models import PRODUCTION, Deployment, Script, Version
from localcloud.cloudflare.zones import Domain, Route, Zone

Json = Any
AUTHOR = "local@cloud.localhost"
AUTHOR_ID = "0" * 32


def script(found: Script, version: Version | None) -> Json:
    """Return a script with its serving version's facts, as in lists and below services."""
    base = {
        "id": found.name,
        "tag": found.tag,
        "tags": found.settings["tags"] or None,
        "created_on": found.created_on,
        "modified_on": found.modified_on,
        "logpush": found.settings["logpush"],
    }
    if found.settings["observability"] is not None:
        base["observability"] = found.settings["observability"]
    if version is None:
        return {
            **base,
            "etag": "",
            "handlers": [],
            "usage_model": "standard",
            "has_assets": False,
            "has_modules": False,
        }
    return {
        **base,
        "etag": version.etag,
        "handlers": version.handlers,
        **({"named_handlers": version.named_handlers} if version.named_handlers else {}),
        "usage_model": version.usage_model,
        "compatibility_date": version.compatibility_date,
        **({"compatibility_flags": version.compatibility_flags} if version.compatibility_flags else {}),
        "has_assets": version.site is not None,
        "has_modules": bool(version.parts) and not version.classic,
        "last_deployed_from": "api",
        **({"migration_tag": version.migration_tag} if version.migration_tag else {}),
        **({"tail_consumers": found.settings["tail_consumers"]} if found.settings["tail_consumers"] else {}),
    }


def uploaded(found: Script, version: Version) -> Json:
    """Return the answer to an upload. `deployment_id` is the version's id without dashes, as clients expect."""
    return {
        **script(found, version),
        "startup_time_ms": version.startup_time_ms,
        "entry_point": version.main,
        "deployment_id": version.id.replace("-", ""),
    }


def service(found: Script, version: Version | None) -> Json:
    """Return a script as a service, for the older endpoints."""
    moments = {"created_on": found.created_on, "modified_on": found.modified_on}
    return {
        "id": found.name,
        "default_environment": environment(found, version),
        **moments,
        "usage_model": version.usage_model if version else "standard",
        "environments": [{"environment": PRODUCTION, **moments}],
    }


def environment(found: Script, version: Version | None) -> Json:
    """Return the only environment of a service."""
    return {
        "environment": PRODUCTION,
        "created_on": found.created_on,
        "modified_on": found.modified_on,
        "script": script(found, version),
    }


def settings(found: Script, version: Version) -> Json:
    """Return the settings of script and version; observability, annotations and limits only when they were set."""
    answer = {
        "bindings": version.bindings,
        "compatibility_date": version.compatibility_date,
        "compatibility_flags": version.compatibility_flags,
        "usage_model": version.usage_model,
        "tags": found.settings["tags"],
        "tail_consumers": found.settings["tail_consumers"],
        "logpush": found.settings["logpush"],
        "placement": version.placement,
    }
    if found.settings["observability"] is not None:
        answer["observability"] = found.settings["observability"]
    shown = {key: text for key, text in version.annotations.items() if key != "workers/triggered_by"}
    if shown:
        answer["annotations"] = shown
    if version.limits:
        answer["limits"] = version.limits
    return answer


def script_settings(found: Script) -> Json:
    """Return the settings that belong to no version."""
    answer = {key: found.settings[key] for key in ("logpush", "tags", "tail_consumers")}
    if found.settings["observability"] is not None:
        answer["observability"] = found.settings["observability"]
    return answer


def version_summary(version: Version) -> Json:
    """Return a version as in lists."""
    return {
        "id": version.id,
        "number": version.number,
        "metadata": {
            "created_on": version.created_on,
            "modified_on": version.created_on,
            "source": version.source,
            "author_id": AUTHOR_ID,
            "author_email": AUTHOR,
            "has_preview": False,
        },
        "annotations": {"workers/triggered_by": "upload", **version.annotations},
    }


def version(found: Version) -> Json:
    """Return a version in full."""
    runtime = {
        "compatibility_date": found.compatibility_date,
        "compatibility_flags": found.compatibility_flags,
        "usage_model": found.usage_model,
        **({"limits": found.limits} if found.limits else {}),
    }
    return {
        **version_summary(found),
        "resources": {
            "bindings": found.bindings,
            "script": {
                "etag": found.etag,
                "handlers": found.handlers,
                "named_handlers": found.named_handlers,
                "last_deployed_from": "api",
            },
            "script_runtime": runtime,
        },
        "startup_time_ms": found.startup_time_ms,
    }


def deployment(found: Deployment) -> Json:
    """Return a deployment with its traffic shares."""
    return {
        "id": found.id,
        "source": found.source,
        "strategy": "percentage",
        "author_email": AUTHOR,
        "created_on": found.created_on,
        "annotations": {"workers/triggered_by": "deploy", **found.annotations},
        "versions": [{"version_id": version, "percentage": percentage} for version, percentage in found.shares],
    }


def account(identifier: str) -> Json:
    """Return the only account."""
    return {
        "id": identifier,
        "name": "Local cloud",
        "type": "standard",
        "settings": {"enforce_twofactor": False},
        "created_on": "2026-01-01T00:00:00.000000Z",
    }


def zone(found: Zone, account_id: str) -> Json:
    """Return a zone, always active."""
    return {
        "id": found.id,
        "name": found.name,
        "status": "active",
        "paused": False,
        "type": "full",
        "development_mode": 0,
        "name_servers": ["ada.ns.localhost", "bob.ns.localhost"],
        "original_name_servers": None,
        "original_registrar": None,
        "original_dnshost": None,
        "created_on": found.created_on,
        "modified_on": found.created_on,
        "activated_on": found.created_on,
        "meta": {"step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3, "phishing_detected": False},
        "owner": {"id": None, "type": "user", "email": None},
        "account": {"id": account_id, "name": "Local cloud"},
        "permissions": ["#zone:read", "#zone:edit", "#worker:read", "#worker:edit"],
        "plan": {"id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "name": "Free Website", "legacy_id": "free"},
    }


def domain(found: Domain) -> Json:
    """Return a custom domain."""
    return {
        "id": found.id,
        "hostname": found.hostname,
        "service": found.script,
        "environment": found.environment,
        "zone_id": found.zone_id,
        "zone_name": found.zone_name,
        "cert_id": f"{found.id[:8]}-0000-4000-8000-{found.id[8:20]}",
    }


def route(found: Route) -> Json:
    """Return a route; without `script` when it leads to no Worker."""
    answer = {"id": found.id, "pattern": found.pattern}
    return answer | ({"script": found.script} if found.script else {})
