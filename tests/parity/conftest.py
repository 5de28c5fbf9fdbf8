"""What the parity tests of every plugin share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parity.stub import Stub


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    """An API on loopback that answers what was recorded."""
    with Stub() as running:
        yield running
