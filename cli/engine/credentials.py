"""The environment without variables that hold credentials."""

from __future__ import annotations

import os

CLOUDS = ("DIGITALOCEAN_", "CLOUDFLARE_", "AWS_", "PULUMI_", "ORACLE_STACK", "ORACLE_ENV_", "ORACLE_NEW_SECRET_")
"""Prefixes of the variables of the clouds, the state and the stacks."""


def without(*beginnings: str) -> dict[str, str]:
    """Return the environment without the variables that have one of these prefixes."""
    return {name: value for name, value in os.environ.items() if not name.startswith(beginnings)}
