"""The list of plugins. Only the plugin that runs is imported."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from offline_plugins import VERSIONS
from offline_plugins.resource import Provider


def provider(name: str) -> Provider:
    """Return the plugin of that name, from `offline_plugins.NAME.provider.make()`. Raises LookupError, one sentence."""
    if name not in VERSIONS:
        raise LookupError(f"There is no offline plugin {name!r}. Fix: use one of {', '.join(VERSIONS)}.")
    return cast("Provider", import_module(f"offline_plugins.{name}.provider").make())
