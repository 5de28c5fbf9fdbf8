"""What a stack's services say, as they say it: the backend's run log and the Workers' live events, side by side."""

from ops.tail.model import Entry, Line, Status, Wanted

__all__ = ["Entry", "Line", "Status", "Wanted"]
