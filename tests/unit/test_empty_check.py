"""A backend that must be empty, and is not."""

from __future__ import annotations

import pytest

from errors import First, Remedy, UserError
from lifecycle.empty_check import require_empty
from tests.support.fake_pocketbase import FakePocketBase
from tests.support.fakes import FakeAccount, FakeAppPlatform, app, target

MADE = "2026-11-22T12:00:00Z"


def look(posts: int, last: str) -> None:
    """Look into a new app with posts, the last of which was written at `last`."""
    with FakePocketBase() as backend:
        backend.write("posts", *map(str, range(posts)), at=last)
        account = FakeAccount({"id": {**app("id", "new", backend.url), "created_at": MADE}})
        require_empty(FakeAppPlatform(account), target("id"), backend.url)
        assert "GET /api/collections" in [f"{request.method} {request.path}" for request in backend.requests]


@pytest.mark.parametrize(
    "posts, last",
    [
        (0, ""),
        (3, "2026-11-22 12:00:07.123Z"),  # planted by the image at its start
        (3, ""),  # no dates: nothing is known
    ],
)
def test_records_written_by_the_new_app_are_accepted(posts: int, last: str) -> None:
    look(posts, last)


def test_records_older_than_the_app_are_refused() -> None:
    with pytest.raises(
        UserError, match="started with 3 records, the last written at 2026-11-22 11:59:59 UTC"
    ) as caught:
        look(3, "2026-11-22 11:59:59.999Z")
    assert "$" not in str(caught.value)
    action = "set oracle-net:backend.replica.config as docs/how-to/litestream.md shows"
    assert caught.value.helps == (First(action, Remedy.RETRY),)
