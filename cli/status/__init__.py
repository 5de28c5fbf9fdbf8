"""The status of a stack: collect observations of all services in bounded time, and diagnose them."""

from cli.status.model import Backups, Finding, Level, Secret, Service, Status
from cli.status.snapshot import gather

__all__ = ["Backups", "Finding", "Level", "Secret", "Service", "Status", "gather"]
