"""Uptime checks and their alerts. A target is requested only when it is on this machine and the state is read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from localcloud.cloud import Cloud
from localcloud.digitalocean.errors import ApiError, not_found, unprocessable
from localcloud.digitalocean.progress import now
from localcloud.digitalocean.requests import body
from localcloud.digitalocean.responses import page, reply

TABLES = """
CREATE TABLE IF NOT EXISTS do_uptime_checks (id TEXT PRIMARY KEY, sealed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS do_uptime_alerts (
    id TEXT PRIMARY KEY, sealed TEXT NOT NULL,
    check_id TEXT NOT NULL REFERENCES do_uptime_checks (id) ON DELETE CASCADE);
"""
TYPES = ("ping", "http", "https")
REGIONS = ("us_east", "us_west", "eu_west", "se_asia")
ALERT_TYPES = ("latency", "down", "down_global", "ssl_expiry")
COMPARISONS = ("greater_than", "less_than")
PERIODS = ("2m", "3m", "5m", "10m", "15m", "30m", "1h")
LOOK_SECONDS = 5.0
Record = dict[str, Any]


class Uptime:
    """Handlers and storage of /v2/uptime/checks; rows are sealed, because alerts hold webhook addresses."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        cloud.store.script(TABLES)

    async def list(self, request: Request) -> Response:
        """List the uptime checks."""
        rows = self._cloud.store.fetchall("SELECT sealed FROM do_uptime_checks ORDER BY rowid")
        return page(request, "checks", [_shown(self._read(row["sealed"])) for row in rows])

    async def create(self, request: Request) -> Response:
        """Create an uptime check; 201."""
        check = _check(await body(request)) | {"id": str(uuid.uuid4())}
        self._save("checks", check)
        return reply({"check": _shown(check)}, 201)

    async def get(self, request: Request) -> Response:
        """Show a check."""
        return reply({"check": _shown(self._check_of(request))})

    async def update(self, request: Request) -> Response:
        """Change a check; missing fields stay unchanged."""
        old = self._check_of(request)
        check = {**old, **_check({**_shown(old), **await body(request)})}
        if check["target"] != old["target"]:
            check.pop("seen", None)
        self._save("checks", check)
        return reply({"check": _shown(check)})

    async def delete(self, request: Request) -> Response:
        """Delete a check with its alerts; 204."""
        check = self._check_of(request)
        self._cloud.store.execute("DELETE FROM do_uptime_checks WHERE id = ?", (check["id"],))
        return reply(None, 204)

    async def state(self, request: Request) -> Response:
        """Request the target now and show the check's state, with the time of its last change."""
        check = self._check_of(request)
        status = await self._probe(check["target"]) if check["enabled"] else "UNKNOWN"
        seen = check.get("seen") or {"status": status, "at": now()}
        if seen["status"] != status:
            if seen["status"] == "DOWN":
                check["outage"] = _outage(seen["at"])
            seen = {"status": status, "at": now()}
        check["seen"] = seen
        self._save("checks", check)
        region = {"status": status, "status_changed_at": seen["at"], "thirty_day_uptime_percentage": 100}
        regions = dict.fromkeys(check["regions"] or REGIONS, region)
        return reply({"state": {"regions": regions, "previous_outage": check.get("outage", {})}})

    async def list_alerts(self, request: Request) -> Response:
        """List a check's alerts."""
        query = "SELECT sealed FROM do_uptime_alerts WHERE check_id = ? ORDER BY rowid"
        rows = self._cloud.store.fetchall(query, (self._check_of(request)["id"],))
        return page(request, "alerts", [self._read(row["sealed"]) for row in rows])

    async def create_alert(self, request: Request) -> Response:
        """Create an alert; 201."""
        check = self._check_of(request)
        alert = _alert(await body(request)) | {"id": str(uuid.uuid4())}
        self._save("alerts", alert, check["id"])
        return reply({"alert": alert}, 201)

    async def get_alert(self, request: Request) -> Response:
        """Show an alert."""
        return reply({"alert": self._alert_of(request)})

    async def update_alert(self, request: Request) -> Response:
        """Change an alert; missing fields stay unchanged."""
        old = self._alert_of(request)
        alert = _alert({**old, **await body(request)}) | {"id": old["id"]}
        self._save("alerts", alert, request.path_params["check_id"])
        return reply({"alert": alert})

    async def delete_alert(self, request: Request) -> Response:
        """Delete an alert; 204."""
        alert = self._alert_of(request)
        self._cloud.store.execute("DELETE FROM do_uptime_alerts WHERE id = ?", (alert["id"],))
        return reply(None, 204)

    def _check_of(self, request: Request) -> Record:
        query = "SELECT sealed FROM do_uptime_checks WHERE id = ?"
        row = self._cloud.store.fetchone(query, (request.path_params["check_id"],))
        if row is None:
            raise not_found("uptime check")
        return self._read(row["sealed"])

    def _alert_of(self, request: Request) -> Record:
        self._check_of(request)
        query = "SELECT sealed FROM do_uptime_alerts WHERE id = ? AND check_id = ?"
        row = self._cloud.store.fetchone(query, (request.path_params["alert_id"], request.path_params["check_id"]))
        if row is None:
            raise not_found("uptime alert")
        return self._read(row["sealed"])

    def _read(self, sealed: str) -> Record:
        record: Record = json.loads(self._cloud.vault.open(sealed, "uptime"))
        return record

    def _save(self, kind: str, record: Record, check_id: str = "") -> None:
        sealed = self._cloud.vault.seal(json.dumps(record), "uptime")
        values = (record["id"], sealed) if kind == "checks" else (record["id"], sealed, check_id)
        marks = ", ".join("?" * len(values))
        update = "ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed"
        self._cloud.store.execute(f"INSERT INTO do_uptime_{kind} VALUES ({marks}) {update}", values)

    async def _probe(self, target: str) -> str:
        """Return UP or DOWN for a target on this machine, by its HTTP response; UNKNOWN, unasked, for others."""
        parts = urlsplit(target if "//" in target else f"//{target}")
        host, port = parts.hostname or "", parts.port or self._cloud.edge_port
        if host not in ("127.0.0.1", "localhost") and not host.endswith(".localhost"):
            return "UNKNOWN"
        try:
            status = await asyncio.wait_for(_ask(parts.netloc, port, parts.path or "/"), LOOK_SECONDS)
        except (OSError, TimeoutError):
            return "DOWN"
        return "UP" if 0 < status < 400 else "DOWN"


async def _ask(host: str, port: int, path: str) -> int:
    """Return the status of a GET; 0 when it is no HTTP. Names under .localhost are this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        words = (await reader.readline()).split()
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _outage(since: str) -> Record:
    ended = now()
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(since)).total_seconds()
    return {"region": REGIONS[0], "started_at": since, "ended_at": ended, "duration_seconds": int(seconds)}


def _shown(check: Record) -> Record:
    return {name: check[name] for name in ("id", "name", "type", "target", "regions", "enabled") if name in check}


def _check(fields: Record) -> Record:
    """Validate a check's own fields. Raises ApiError 422."""
    _known(fields, {"id", "name", "type", "target", "regions", "enabled"})
    name, target, regions = fields.get("name"), fields.get("target"), fields.get("regions")
    if not isinstance(name, str) or not name:
        raise unprocessable("name is required")
    if not isinstance(target, str) or not target or any(mark.isspace() for mark in target):
        raise unprocessable("target is invalid")
    kind = _choice(fields, "type", TYPES, "ping")
    for region in regions or []:
        if region not in REGIONS:
            raise unprocessable(f"region {region!r} is none of {', '.join(REGIONS)}")
    enabled = fields.get("enabled", True)
    if not isinstance(enabled, bool):
        raise unprocessable("enabled must be true or false")
    return {"name": name, "type": kind, "target": target, "regions": regions, "enabled": enabled}


def _alert(fields: Record) -> Record:
    """Validate an alert's own fields. Raises ApiError 422."""
    _known(fields, {"id", "name", "type", "threshold", "comparison", "notifications", "period"})
    if not isinstance(fields.get("name"), str) or not fields["name"]:
        raise unprocessable("name is required")
    threshold = fields.get("threshold", 0)
    if isinstance(threshold, bool) or not isinstance(threshold, int) or threshold < 0:
        raise unprocessable("threshold is invalid")
    notifications = fields.get("notifications")
    if not isinstance(notifications, dict):
        raise unprocessable("notifications are required")
    return {
        "name": fields["name"],
        "type": _choice(fields, "type", ALERT_TYPES, ""),
        "threshold": threshold,
        "comparison": _choice(fields, "comparison", ("", *COMPARISONS), ""),
        "notifications": notifications,
        "period": _choice(fields, "period", ("", *PERIODS), ""),
    }


def _choice(fields: Record, name: str, choices: tuple[str, ...], default: str) -> str:
    value = fields.get(name, default)
    if value not in choices:
        raise unprocessable(f"{name} {value!r} is none of {', '.join(choice for choice in choices if choice)}")
    return str(value)


def _known(fields: Record, names: set[str]) -> None:
    if unknown := sorted(set(fields) - names):
        raise ApiError(400, f"unknown field {unknown[0]!r}", "invalid_argument")
