"""Detect a new backend that is not empty, for example because its image restored a Litestream replica."""

from __future__ import annotations

from datetime import UTC, datetime

from clients.app_platform import AppPlatform
from clients.pocketbase import login, own_records, summarize_data
from errors import First, Remedy, UserError
from lifecycle.bootstrap import Target


def require_empty(platform: AppPlatform, target: Target, url: str) -> None:
    """Raises UserError if the app has records and all are older than the app: they come from elsewhere.

    Records that the image creates at its start are younger, and are accepted.
    """
    session = login(url, target.email, target.password)
    if session is None:
        raise UserError("The new backend refuses its admin's login.", Remedy.RETRY)
    data = summarize_data(url, session)
    app = platform.app(target.app_id)
    newest, created = _moment(data.last_write), _moment(app.get("created_at"))
    count = sum(own_records(data.records).values())
    if count and newest and created and newest < created:
        raise UserError(
            f"The new backend should be empty, but it started with {count} records, the last written at "
            f"{newest:%Y-%m-%d %H:%M:%S} UTC, before its app was created. Its image fills it from elsewhere, for "
            "example from a replica, so traffic was not switched.",
            First("set oracle-net:backend.replica.config as docs/how-to/litestream.md shows", Remedy.RETRY),
        )


def _moment(text: object) -> datetime | None:
    """Parse a time in the format of PocketBase (`2026-01-31 23:59:59.123Z`) or App Platform (RFC 3339)."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
