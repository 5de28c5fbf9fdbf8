"""The configuration of static assets: its validation, and its form for the runtime."""

from __future__ import annotations

from typing import Any

import site_rules
from localcloud.cloudflare.errors import ApiError, invalid

Json = Any
CHOICES = {
    "html_handling": {"auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"},
    "not_found_handling": {"none", "404-page", "single-page-application"},
}
TEXTS = {"_headers", "_redirects"}
FLAGS = {"run_worker_first", "serve_directly"}


def checked(config: Json) -> dict[str, Json]:
    """Return the valid configuration. Raises ApiError 10021, or 100324 for rules that Cloudflare refuses."""
    if not isinstance(config, dict):
        raise invalid("assets.config must be an object")
    if unknown := sorted(set(config) - set(CHOICES) - TEXTS - FLAGS):
        raise invalid(f"unknown key in assets.config: {', '.join(unknown)}")
    for key, choices in CHOICES.items():
        if config.get(key) is not None and config[key] not in choices:
            raise invalid(f"assets.config.{key} must be one of {', '.join(sorted(choices))}, not {config[key]!r}")
    for key in TEXTS:
        if not isinstance(config.get(key, ""), str | None):
            raise invalid(f"assets.config.{key} must be a text")
    _check_rule_files(config)
    first = config.get("run_worker_first")
    if isinstance(first, list):
        _check_rules(first)
    elif first not in (None, True, False):
        raise invalid("assets.config.run_worker_first must be a boolean or a list of rules")
    return config


def _check_rule_files(config: dict[str, Json]) -> None:
    strips_index = config.get("html_handling") != "none"
    found = {
        "_headers": site_rules.header_problems(config.get("_headers") or ""),
        "_redirects": site_rules.redirect_problems(config.get("_redirects") or "", strips_index=strips_index),
    }
    for name, problems in found.items():
        if problems:
            lines = "\n".join(f"Line {problem.line}: {problem.says}." for problem in problems)
            raise ApiError(400, 100324, f"Invalid {name} configuration:\n{lines}")


def _check_rules(rules: list[Json]) -> None:
    """Apply Cloudflare's rules for rules: paths from the root, `!` before exceptions, and not exceptions only."""
    for rule in rules:
        if not isinstance(rule, str) or not rule.removeprefix("!").startswith("/"):
            raise invalid(f"assets.config.run_worker_first: rule {rule!r} must begin with / or !/")
    if not any(not rule.startswith("!") for rule in rules):
        raise invalid("assets.config.run_worker_first needs at least one rule that does not begin with !")


def effective(config: dict[str, Json]) -> dict[str, Json]:
    """Return the configuration with `serve_directly`, the older opposite, turned into `run_worker_first`."""
    if config.get("run_worker_first") is None and config.get("serve_directly") is False:
        return config | {"run_worker_first": True}
    return config
