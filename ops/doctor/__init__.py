"""What a stack needs, looked at: tools, tokens, names, state, lock, clocks, backups, disk; each with its remedy."""

from ops.doctor.examining import examine
from ops.doctor.model import Finding, worst

__all__ = ["Finding", "examine", "worst"]
