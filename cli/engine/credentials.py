"""Which variables of the environment hold credentials, and the environment without them."""

from __future__ import annotations

import os

CLOUDS = ("DIGITALOCEAN_", "CLOUDFLARE_", "AWS_", "PULUMI_", "ORACLE_STACK", "ORACLE_ENV_", "ORACLE_NEW_SECRET_")
"""How the names begin that belong to the clouds, the state and the stacks."""


def without(*beginnings: str) -> dict[str, str]:
    """The environment without the variables whose names begin so."""
    return {name: value for name, value in os.environ.items() if not name.startswith(beginnings)}
