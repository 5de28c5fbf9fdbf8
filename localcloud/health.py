"""Health checks of started programs: polled quickly at first, then with growing pauses."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from localcloud.backoff import attempts

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
DEFAULT_BUDGET = 30.0
"""Seconds for a component whose spec names no limits. App Platform's own (every 10 s, 9 failures) come to 90."""


@dataclass(frozen=True)
class HealthCheck:
    """A health check: an HTTP path that must answer 200 to 399, or (path None) a connection that must be accepted.

    App Platform checks every `period` seconds after an initial delay. Here the first check comes at once and the next
    ones often; the settings only give the limit. A component that is not ready after initial delay + period * failure
    threshold has failed.
    """

    path: str | None
    timeout: float
    successes: int
    budget: float

    @classmethod
    def of(cls, service: dict[str, Any]) -> HealthCheck:
        """Read the health check of a service in an app spec."""
        limits = service.get("health_check", {})
        budget = DEFAULT_BUDGET
        if {"initial_delay_seconds", "period_seconds", "failure_threshold"} & set(limits):
            limit = limits.get("period_seconds", 10) * limits.get("failure_threshold", 9)
            budget = float(limits.get("initial_delay_seconds", 0) + limit)
        path = limits.get("http_path") or limits.get("path") or None
        return cls(path, float(limits.get("timeout_seconds", 1)), int(limits.get("success_threshold", 1)), budget)

    async def wait(self, port: int) -> str:
        """Wait until the program is ready; return "", or the last problem when the time is up."""
        problem, good = "", 0
        for pause in attempts(FIRST_PAUSE, LONGEST_PAUSE, self.budget, growth=1.3):
            await asyncio.sleep(pause)
            problem = await self.look(port)
            good = 0 if problem else good + 1
            if good >= self.successes:
                return ""
        return problem or "not enough successful answers in a row"

    async def look(self, port: int) -> str:
        """Check once: return "" when ready, else the problem."""
        try:
            return await asyncio.wait_for(self._ask(port), self.timeout)
        except TimeoutError:
            return f"no answer within {self.timeout:g} s"
        except OSError:
            return "connection refused"

    async def _ask(self, port: int) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            if self.path is None:
                return ""
            writer.write(f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            line = (await reader.readline()).decode(errors="replace").split()
            status = int(line[1]) if len(line) > 1 and line[1].isdigit() else 0
            return "" if 200 <= status < 400 else f"GET {self.path} answered {status or 'no HTTP'}"
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
