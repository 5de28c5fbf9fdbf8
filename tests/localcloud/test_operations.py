"""The generated page of the local cloud's operations is up to date."""

from __future__ import annotations

from tests.localcloud.operations import PAGE, page


def test_the_page_of_operations_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "write it again: python -m tests.localcloud.operations"
