"""A stack as it is, against what is declared: every service at once, each waited for a bounded time only."""

from ops.status.gathering import gather
from ops.status.model import Backups, Finding, Level, Secret, Service, Status

__all__ = ["Backups", "Finding", "Level", "Secret", "Service", "Status", "gather"]
