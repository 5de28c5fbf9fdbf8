"""Cron triggers, and the clock that calls Workers' `scheduled` handlers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from localcloud.cloudflare.crons import Cron
from localcloud.cloudflare.errors import ApiError
from localcloud.cloudflare.responses import now
from localcloud.edge import Edge
from localcloud.edge_process import EdgeError
from localcloud.store import Store

Json = Any
log = logging.getLogger(__name__)
MOST = 250
MINUTE = timedelta(minutes=1)
TABLES = """
CREATE TABLE IF NOT EXISTS cf_schedules (
    script TEXT NOT NULL REFERENCES cf_scripts ON DELETE CASCADE, cron TEXT NOT NULL, created_on TEXT NOT NULL,
    modified_on TEXT NOT NULL, PRIMARY KEY (script, cron));
"""


@dataclass(frozen=True)
class Schedule:
    """One cron trigger of a Worker."""

    script: str
    cron: str
    created_on: str
    modified_on: str


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class Schedules:
    """The account's cron triggers. Minutes that pass while the local cloud is stopped are skipped."""

    def __init__(
        self,
        store: Store,
        edge: Edge,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._edge = edge
        self._clock = clock
        self._sleep = sleep
        self._ticking: asyncio.Task[None] | None = None
        self._runs: set[asyncio.Task[str]] = set()
        store.script(TABLES)

    def of(self, script: str) -> list[Schedule]:
        """Return a Worker's triggers in the order of their creation."""
        rows = self._store.fetchall("SELECT * FROM cf_schedules WHERE script = ? ORDER BY rowid", (script,))
        return [Schedule(**dict(row)) for row in rows]

    def replace(self, script: str, crons: list[str]) -> list[Schedule]:
        """Set a Worker's triggers; those that stay keep their creation time. Raises ApiError 10100 and 10072."""
        if any(_parsed(cron) is None for cron in crons):
            raise ApiError(400, 10100, "invalid cron string")
        if len(crons) > MOST:
            raise ApiError(400, 10072, "workers.api.error.too_many_crons")
        known = {schedule.cron: schedule.created_on for schedule in self.of(script)}
        moment = now()
        with self._store.transaction():
            self._store.execute("DELETE FROM cf_schedules WHERE script = ?", (script,))
            for cron in dict.fromkeys(crons):
                values = (script, cron, known.get(cron, moment), moment)
                self._store.execute("INSERT INTO cf_schedules VALUES (?, ?, ?, ?)", values)
        return self.of(script)

    def start(self) -> None:
        """Start the clock: each minute, call the triggers that are due."""
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Stop the clock, without waiting for running handlers."""
        for task in (self._ticking, *self._runs):
            if task is not None:
                task.cancel()
        self._ticking = None

    async def run(self, script: str, cron: str, moment: datetime) -> str:
        """Call the Worker's handler as if `cron` were due at `moment`; return "ok" or another outcome. Raises
        EdgeError.
        """
        event = {"kind": "scheduled", "cron": cron, "time": int(moment.timestamp() * 1000)}
        return str((await self._edge.deliver(script, event))["outcome"])

    async def _tick(self) -> None:
        minute = _minute(self._clock())
        while True:
            minute = max(minute + MINUTE, _minute(self._clock()))
            await self._sleep(max((minute - self._clock()).total_seconds(), 0))
            late = self._clock() - minute >= MINUTE  # the machine was asleep
            for schedule in [] if late else self._due(minute):
                task = asyncio.create_task(self._logged(schedule, minute))
                self._runs.add(task)
                task.add_done_callback(self._runs.discard)

    def _due(self, minute: datetime) -> list[Schedule]:
        rows = self._store.fetchall("SELECT * FROM cf_schedules ORDER BY rowid")
        found = [Schedule(**dict(row)) for row in rows]
        return [schedule for schedule in found if (cron := _parsed(schedule.cron)) and cron.matches(minute)]

    async def _logged(self, schedule: Schedule, minute: datetime) -> str:
        try:
            outcome = await self.run(schedule.script, schedule.cron, minute)
        except EdgeError as error:
            outcome = str(error)
        if outcome != "ok":
            log.warning("The cron trigger %s of the Worker %s: %s", schedule.cron, schedule.script, outcome)
        return outcome


def _parsed(cron: str) -> Cron | None:
    try:
        return Cron.parse(cron)
    except ValueError:
        return None


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
