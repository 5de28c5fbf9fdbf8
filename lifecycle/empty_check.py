"""Whether a backend that should be empty has filled itself, as an image with a replica of its own does."""

from __future__ import annotations

from datetime import UTC, datetime

from clients.app_platform import AppPlatform
from clients.pocketbase import login, own_records, summarize_data
from lifecycle.bootstrap import Target
from lifecycle.errors import UserError


def require_empty(platform: AppPlatform, target: Target, url: str) -> None:
    """Raises Sentence when everything that the app holds is older than the app itself: nobody has written it here.

    What an image plants at its start is younger, and is left alone.
    """
    session = login(url, target.email, target.password)
    if session is None:
        raise UserError("The new backend refuses its admin's login; try again: pulumi up")
    found = summarize_data(url, session)
    app = platform.app(target.app_id)
    last, made = _moment(found.last_write), _moment(app.get("created_at"))
    count = sum(own_records(found.records).values())
    if count and last and made and last < made:
        raise UserError(
            f"The new backend should be empty, and started with {count} records, the last written at "
            f"{last:%Y-%m-%d %H:%M:%S} UTC, before its app was made: its image fills it from elsewhere, such as a "
            "replica at a fixed place. It gets no traffic. Set oracle-net:backend.replica.config, as "
            "docs/how-to/litestream.md shows; then: pulumi up"
        )


def _moment(text: object) -> datetime | None:
    """A time as PocketBase (`2026-01-31 23:59:59.123Z`) or App Platform (RFC 3339) writes it."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
