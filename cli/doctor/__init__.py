"""Checks of what a stack needs: tools, tokens, names, state, lock, clocks, backups, disk. Each has a fix."""

from cli.doctor.examination import examine
from cli.doctor.model import Finding, worst

__all__ = ["Finding", "examine", "worst"]
