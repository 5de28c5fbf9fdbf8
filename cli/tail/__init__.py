"""Live logs of a stack's services: the backend's run log and the Workers' events, side by side."""

from cli.tail.model import Entry, Line, Status, Wanted

__all__ = ["Entry", "Line", "Status", "Wanted"]
