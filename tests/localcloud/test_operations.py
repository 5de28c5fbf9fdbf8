"""The page that lists what the local cloud answers says what it answers."""

from __future__ import annotations

from tests.localcloud.operations import PAGE, page


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == page(), "write it again: python -m tests.localcloud.operations"
