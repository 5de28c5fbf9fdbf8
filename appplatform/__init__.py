"""A small client of DigitalOcean's App Platform: what a running app is, its deployments, their logs, its console."""

from appplatform.client import AppPlatform, AppPlatformError, Deployment, variable
from appplatform.console import CommandResult, ConsoleError, run_command

__all__ = ["AppPlatform", "AppPlatformError", "CommandResult", "ConsoleError", "Deployment", "run_command", "variable"]
