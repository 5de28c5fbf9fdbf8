"""The fields of an app spec that App Platform accepts, and those that this cloud carries out.

Field names and values are those of DigitalOcean's app spec reference. Some fields are carried out or only stored
(prices, alerts, log destinations). Others exist but would have no effect here, so they are refused. Unknown fields are
refused too.
"""

from __future__ import annotations

import re

from localcloud.digitalocean.field_checks import (
    Kind,
    absent,
    anything,
    flag,
    integer,
    many,
    matching,
    number,
    off,
    public,
    record,
    single,
    text,
)
from localcloud.repositories import NAME as REPOSITORY

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
ENV_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HOST = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

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
