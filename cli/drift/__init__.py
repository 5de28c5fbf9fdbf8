"""Drift: differences between the clouds and the state, who made them, and their repair."""

from cli.drift.collect import find_drift
from cli.drift.markdown import markdown
from cli.drift.model import Drift, Report

__all__ = ["Drift", "Report", "find_drift", "markdown"]
