"""A client of DigitalOcean's App Platform: apps, deployments, logs, and the console of a running container."""

from clients.app_platform.alerts import alert, alerts_of
from clients.app_platform.answers import AppPlatformError, Deployment, component, variable
from clients.app_platform.client import AppPlatform
from clients.app_platform.console import CommandResult, Console, ConsoleClosed, ConsoleError, run_command
from clients.app_platform.runlog import LogEnded, LogLine, RunLog
from clients.app_platform.sources import Source
from clients.app_platform.terminal import hold_session, show_command

__all__ = [
    "AppPlatform",
    "AppPlatformError",
    "CommandResult",
    "Console",
    "ConsoleClosed",
    "ConsoleError",
    "Deployment",
    "LogEnded",
    "LogLine",
    "RunLog",
    "Source",
    "alert",
    "alerts_of",
    "component",
    "hold_session",
    "run_command",
    "show_command",
    "variable",
]
