"""Convert a Worker's event to lines. Shape: https://developers.cloudflare.com/workers/runtime-apis/handlers/tail/.

Headers are not shown. Cloudflare masks headers with secret-like names and identifiers in addresses. Query parameters
with secret-like names are masked here too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cli.tail.model import Entry, Kind, Line, Status

SERVER_ERROR = 500
GOOD = frozenset({"ok", "canceled", "responseStreamDisconnected"})
"""Outcomes that are not failures of the Worker: success, and a client that disconnected."""
WORDS = {"exceededCpu": "exceeded its CPU time", "exceededMemory": "exceeded its memory", "exception": "exception"}


def entry_of(service: str, trace: Mapping[str, Any]) -> Entry:
    """Return the event's lines: first the call and its outcome, then the console lines and exceptions."""
    outcome = str(trace.get("outcome", "unknown"))
    event = _mapping(trace.get("event"))
    status = _mapping(event.get("response")).get("status")
    bad = outcome not in GOOD or (isinstance(status, int) and status >= SERVER_ERROR)
    lines = (_event_line(trace, event, outcome, status), *_console_lines(trace))
    return Entry(service=service, lines=lines, status=Status.ERROR if bad else Status.OK)


def _event_line(trace: Mapping[str, Any], event: Mapping[str, Any], outcome: str, status: Any) -> Line:
    request = _mapping(event.get("request"))
    ended = " ".join(str(each) for each in (status, WORDS.get(outcome, outcome)) if each is not None)
    fields: dict[str, Any] = {"outcome": outcome}
    kind: Kind = "event"
    if request:
        kind = "request"
        fields |= {"method": request.get("method"), "url": request.get("url"), "status": status}
    return Line(
        time=_time(trace.get("eventTimestamp")), kind=kind, text=f"{_caller(trace, event)} {ended}", fields=fields
    )


def _caller(trace: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """Describe the caller by the same rules as wrangler (workers-sdk, packages/wrangler/src/tail/printing.ts)."""
    if request := _mapping(event.get("request")):
        return f"{request.get('method', '?')} {request.get('url', '?')}"
    if "cron" in event:
        return f"cron {event['cron']}"
    if "queue" in event:
        return f"queue {event['queue']}, {event.get('batchSize', '?')} messages"
    if "mailFrom" in event:
        return f"mail from {event['mailFrom']}"
    if "rpcMethod" in event:
        return f"call of {trace.get('entrypoint') or 'the Worker'}.{event['rpcMethod']}"
    if "scheduledTime" in event:
        return "alarm"
    return str(event.get("message") or "event")


def _console_lines(trace: Mapping[str, Any]) -> Iterator[Line]:
    for log in _mappings(trace.get("logs")):
        level, time = str(log.get("level", "log")), _time(log.get("timestamp"))
        for text in _message(log.get("message")).splitlines() or [""]:
            yield Line(time=time, kind="console", text=f"  ({level}) {text}", fields={"level": level})
    for error in _mappings(trace.get("exceptions")):
        time = _time(error.get("timestamp"))
        whole = f"{error.get('name', 'Error')}: {error.get('message', '')}\n{error.get('stack') or ''}"
        for text in filter(str.strip, whole.splitlines()):
            yield Line(time=time, kind="exception", text=f"  {text}")


def _message(parts: Any) -> str:
    """Return the arguments of a console call as one text."""
    arguments = parts if isinstance(parts, list) else [parts]
    return " ".join(each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in arguments)


def _time(milliseconds: Any) -> datetime:
    """Return the time, or the current time if the event has none."""
    try:
        return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.now(UTC)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
