"""Lines of a service, and which of them are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

Kind = Literal["log", "request", "console", "exception", "event"]


class Status(StrEnum):
    """How a Worker's event went."""

    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class Line:
    time: datetime
    """With its time zone."""
    kind: Kind
    """`log`: of the backend. `request`, `event`: what called a Worker. The others: what the Worker said meanwhile."""
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What a script may want by name, for --json."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What belongs together: one line of the backend's log, or all lines of one event of a Worker."""

    service: str
    lines: tuple[Line, ...]
    status: Status | None = None
    """Whether a Worker's event went well; None for a line of the backend, which does not say."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which entries are shown: those with `text` in one of their lines, in any case, and of that `status`."""

    text: str = ""
    status: Status | None = None

    def has(self, entry: Entry) -> bool:
        if self.status is not None and entry.status != self.status:
            return False
        return any(self.text.casefold() in line.text.casefold() for line in entry.lines)
