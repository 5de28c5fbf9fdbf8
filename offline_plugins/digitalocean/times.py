"""Times as Go's time.Time prints them, which is how the official plugin keeps them in state."""

from __future__ import annotations

from datetime import UTC, datetime


def printed(iso: str | None) -> str:
    """`2026-01-01T00:00:00Z` as `2026-01-01 00:00:00 +0000 UTC`; the zero time where the API gives none."""
    if not iso:
        return "0001-01-01 00:00:00 +0000 UTC"
    moment = datetime.fromisoformat(iso).astimezone(UTC)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"
