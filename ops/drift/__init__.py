"""What the clouds hold against what is declared, who made the difference, and how it is put right."""

from ops.drift.looking import look_for
from ops.drift.model import Drift, Report
from ops.drift.telling import markdown

__all__ = ["Drift", "Report", "look_for", "markdown"]
