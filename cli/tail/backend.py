"""Follow the backend's run log from container to container and, after a release, from app to app."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event

from cli.tail.model import Entry, Line
from cli.tail.reopen import Opened, StreamLost
from cli.ui.errors import CommandError
from clients.app_platform import AppPlatform, AppPlatformError, LogEnded, LogLine, RunLog
from errors import STACK, Fix, UserError

BEHIND = 200
"""Past lines to read when a stream is opened again, so that the lines during the gap are among them."""
LOOK_SECONDS = 15.0
"""The interval for checking the active deployment, because an old log address may stay open without lines."""
TURN = 0.5
NOT_FOUND = 404
STATUS = Fix(f"oracle status --stack {STACK}", "to see why")


class Backend:
    """The backend's run log. `app` is its app's id; `declared()` reads the current id from the stack's state.

    Its stream raises StreamLost, and UserError if it cannot be followed.
    """

    def __init__(
        self,
        platform: AppPlatform,
        component: str,
        app: str,
        declared: Callable[[], str],
        update: str,
        lines: int,
        stop: Event,
    ) -> None:
        self._platform, self._component, self._declared = platform, component, declared
        self._update, self._lines, self._stop = update, lines, stop
        self._app = app
        self._last = ""  # the time of the last line, in App Platform's format without the Z

    def stream(self) -> Iterator[Entry | Opened]:
        deployment = self._deployment()
        address = self._address(deployment)
        try:
            with RunLog(address) as log:
                yield Opened()
                yield from self._read(log, deployment)
        except LogEnded as error:
            raise StreamLost(f"The run log {error}.") from None

    def _read(self, log: RunLog, deployment: str) -> Iterator[Entry]:
        last, checked = self._last, time.monotonic()
        while not self._stop.is_set():
            for line in log.read(TURN):
                if last and line.time and line.time.rstrip("Z") <= last:
                    continue  # already shown before the stream was opened again
                self._last = max(self._last, line.time.rstrip("Z"))
                yield _entry(line)
            if time.monotonic() - checked > LOOK_SECONDS:
                checked = time.monotonic()
                if self._deployment() != deployment:
                    raise StreamLost("Another deployment runs.")

    def _deployment(self) -> str:
        try:
            app = self._platform.known(self._app)
        except AppPlatformError as error:
            raise self._trouble(error) from None
        if app is None:
            return self._successor()
        active = app.get("active_deployment") or app.get("in_progress_deployment")
        if not active:
            raise StreamLost("The backend's app has no deployment yet.", STATUS)
        return str(active["id"])

    def _successor(self) -> str:
        """Return the deployment of the app that has replaced the followed one."""
        before, self._app = self._app, self._declared()
        if self._app == before:
            raise CommandError("The backend's app was deleted.", Fix(self._update, "to deploy it"))
        return self._deployment()

    def _address(self, deployment: str) -> str:
        lines = BEHIND if self._last else self._lines
        try:
            address = self._platform.live_log(self._app, deployment, self._component, max(1, lines))
        except AppPlatformError as error:
            if error.status == NOT_FOUND:
                raise StreamLost("The deployment was deleted.") from None
            raise self._trouble(error) from None
        if address is None:
            raise StreamLost("The run log is closed.", STATUS)
        return address

    @staticmethod
    def _trouble(error: AppPlatformError) -> UserError:
        """Return the exception for an API error. A refused token is not retried."""
        refused = error.status in (401, 403)
        return error if refused else StreamLost(error.problem, *error.helps, cause=error.cause)


def _entry(line: LogLine) -> Entry:
    return Entry(service="backend", lines=(Line(time=_time(line.time), kind="log", text=line.text),))


def _time(text: str) -> datetime:
    """Parse App Platform's time, cut to microseconds from nanoseconds. A line without a time gets the current one."""
    seconds, point, rest = text.rstrip("Z").partition(".")
    try:
        return datetime.fromisoformat(f"{seconds}{point}{rest[:6].ljust(6, '0') if point else ''}").replace(tzinfo=UTC)
    except ValueError:
        return datetime.now(UTC)
