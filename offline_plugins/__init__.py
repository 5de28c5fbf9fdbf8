"""Offline provider plugins: stand-ins for random, digitalocean and cloudflare where the official ones cannot be had.

They speak the engine's provider protocol, behave as the official plugins were recorded to behave (tests/parity) for the
properties that the program uses, refuse everything else, and talk to loopback endpoints only.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

# Versions of the official plugins that were recorded; the engine asks for a plugin by the version of the SDK package.
VERSIONS = {"random": "4.21.1", "digitalocean": "4.76.0", "cloudflare": "6.17.0"}


def install(home: Path, python: Path, names: Iterable[str] = tuple(VERSIONS)) -> None:
    """Puts the named plugins into the plugin folder of a Pulumi home; see `offline_plugins.folder`."""
    from offline_plugins.folder import install as put  # not at import: a plugin's start needs none of it

    put(home, python, names)
