"""Times in the form of Go's time.Time, in which the official plugin stores them in state."""

from __future__ import annotations

from datetime import UTC, datetime


def printed(iso: str | None) -> str:
    """Return `2026-01-01T00:00:00Z` as `2026-01-01 00:00:00 +0000 UTC`; the zero time for None."""
    if not iso:
        return "0001-01-01 00:00:00 +0000 UTC"
    moment = datetime.fromisoformat(iso).astimezone(UTC)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"
