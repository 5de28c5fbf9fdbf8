"""Entries and lines of a service, and their filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

Kind = Literal["log", "request", "console", "exception", "event"]


class Status(StrEnum):
    """The result of a Worker's event."""

    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of output."""

    time: datetime
    """The time, with its time zone."""
    kind: Kind
    """`log`: from the backend. `request`, `event`: a call of a Worker. The others: the Worker's output during it."""
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the line in --json."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the backend's log, or all lines of one event of a Worker."""

    service: str
    lines: tuple[Line, ...]
    status: Status | None = None
    """The result of a Worker's event. None for a line of the backend, which has no result."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A filter of entries: by `text` in one of their lines, case ignored, and by `status`."""

    text: str = ""
    status: Status | None = None

    def has(self, entry: Entry) -> bool:
        if self.status is not None and entry.status != self.status:
            return False
        return any(self.text.casefold() in line.text.casefold() for line in entry.lines)
