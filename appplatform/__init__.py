"""A small client of DigitalOcean's App Platform: what a running app is, its deployments, their logs, its console."""

from appplatform.alerts import alert, alerts_of
from appplatform.client import AppPlatform, AppPlatformError, Deployment, component, variable
from appplatform.console import CommandResult, Console, ConsoleClosed, ConsoleError, run_command
from appplatform.runlog import LogEnded, LogLine, RunLog
from appplatform.sources import Source
from appplatform.terminal import hold_session, show_command

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
