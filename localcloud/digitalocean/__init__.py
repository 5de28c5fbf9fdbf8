"""The emulated DigitalOcean: App Platform, uptime checks, and the catalog endpoints that clients need."""

from __future__ import annotations

from localcloud.digitalocean.errors import fault_body, handlers
from localcloud.digitalocean.platform import Platform
from localcloud.digitalocean.responses import reply
from localcloud.digitalocean.routes import routes

__all__ = ["Platform", "fault_body", "handlers", "reply", "routes"]
