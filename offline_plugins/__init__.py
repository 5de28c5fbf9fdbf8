"""Offline provider plugins: random, digitalocean and cloudflare for machines that cannot install the official ones.

They speak the engine's provider protocol. For the properties that the program uses, they behave like the recorded
official plugins (tests/parity); they refuse everything else. They connect only to loopback endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

# Versions of the recorded official plugins. The engine asks for a plugin by the version of the SDK package.
VERSIONS = {"random": "4.21.1", "digitalocean": "4.76.0", "cloudflare": "6.17.0"}


def install(home: Path, python: Path, names: Iterable[str] = tuple(VERSIONS)) -> None:
    """Install the named plugins in the plugin folder of a Pulumi home; see `offline_plugins.folder`."""
    from offline_plugins.folder import install as put  # not at import: a plugin does not need it to start

    put(home, python, names)
