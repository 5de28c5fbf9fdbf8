"""The filters of the page's templates: functions that turn a value into text."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup

from cli.dashboard.content import LEVELS, Run
from cli.ui import phrases

# Control characters that would reorder or hide text, and lone surrogates, which no encoding can represent.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
RUN_LEVELS = {"ok": "healthy", "failed": "down", "killed": "down", "running": "running"}


def visible(value: object) -> object:
    """Return a value of a template without invisible characters, and a number without needless digits."""
    if isinstance(value, Markup):
        return value
    return f"{value:g}" if isinstance(value, float) else plain(str(value))


def plain(value: str) -> str:
    """Remove terminal colours, and replace invisible characters with U+FFFD."""
    return INVISIBLE.sub("\ufffd", ANSI.sub("", value))


def level(value: str) -> str:
    """Return a level of the page; "unknown" for any other text."""
    return value if value in LEVELS or value == "running" else "unknown"


def run_level(status: str) -> str:
    """Return the level of a run's status."""
    return RUN_LEVELS.get(status, "unknown")


def utc(moment: str) -> str:
    """Format a time as `2026-11-22 16:49 UTC`; return "" for a text that is no time."""
    try:
        return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return ""


def duration(run: Run) -> str:
    """Return how long a run took; "" for one that has not ended."""
    try:
        seconds = (datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.began)).total_seconds()
    except (ValueError, TypeError):
        return ""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def web_name(address: str) -> list[str]:
    """Return an http or https address without its scheme, split at the dots; [] for any other text."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return []
    is_web = parts.scheme in ("http", "https") and parts.netloc
    return address.partition("://")[2].split(".") if is_web else []


def svg_address(chart: str) -> str:
    """Return a chart as the address of an image: its style and its names cannot affect the page."""
    return "data:image/svg+xml;base64," + base64.b64encode(plain(chart).encode()).decode()


FILTERS: dict[str, Callable[[Any], Any]] = {
    "duration": duration,
    "level": level,
    "run_level": run_level,
    "size": phrases.size,
    "svg_address": svg_address,
    "utc": utc,
    "web_name": web_name,
}
"""The filters by their names in the templates."""
