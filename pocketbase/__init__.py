"""A client of PocketBase's own API: health, version, login, superusers."""

from pocketbase.admin import AdminError, ensure_admin, login
from pocketbase.health import Unhealthy, version, wait_healthy

__all__ = ["AdminError", "Unhealthy", "ensure_admin", "login", "version", "wait_healthy"]
