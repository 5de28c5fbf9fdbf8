"""A Worker's event as lines. Its shape is that of https://developers.cloudflare.com/workers/runtime-apis/handlers/tail/.

Headers are never shown. Cloudflare masks those whose names sound secret, and identifiers in addresses; what a query
names like a secret is masked here too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cli.tail.model import Entry, Kind, Line, Status

SERVER_ERROR = 500
GOOD = frozenset({"ok", "canceled", "responseStreamDisconnected"})
"""Outcomes that are no failure of the Worker: the client left."""
WORDS = {"exceededCpu": "exceeded its CPU time", "exceededMemory": "exceeded its memory", "exception": "exception"}


def entry_of(service: str, trace: Mapping[str, Any]) -> Entry:
    """The event's first line says what called the Worker and how that ended, the others what it said meanwhile."""
    outcome = str(trace.get("outcome", "unknown"))
    event = _mapping(trace.get("event"))
    status = _mapping(event.get("response")).get("status")
    bad = outcome not in GOOD or (isinstance(status, int) and status >= SERVER_ERROR)
    lines = (_first(trace, event, outcome, status), *_said(trace))
    return Entry(service=service, lines=lines, status=Status.ERROR if bad else Status.OK)


def _first(trace: Mapping[str, Any], event: Mapping[str, Any], outcome: str, status: Any) -> Line:
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
    """As wrangler tells kinds of events apart (workers-sdk, packages/wrangler/src/tail/printing.ts)."""
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


def _said(trace: Mapping[str, Any]) -> Iterator[Line]:
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
    """The arguments of a console call as one text."""
    found = parts if isinstance(parts, list) else [parts]
    return " ".join(each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in found)


def _time(milliseconds: Any) -> datetime:
    """Of something that carries no time: now."""
    try:
        return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.now(UTC)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
