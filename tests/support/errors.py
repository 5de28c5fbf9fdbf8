"""The text of an error as its user sees it, with the fixes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

import advice
from errors import UserError

E = TypeVar("E", bound=UserError)
RETRY = "pulumi up --stack prod"
"""The command that does again what has failed."""


def shown_text(error: UserError) -> str:
    """Return the text of an error on the stack `prod`."""
    return advice.text(error, "prod", RETRY)


def raises_text(kind: type[E], pattern: str) -> pytest.RaisesExc[E]:
    """Expect an error whose text, with its fixes, matches the pattern."""

    def matches(error: E) -> bool:
        assert re.search(pattern, shown_text(error)), shown_text(error)
        return True

    return pytest.raises(kind, check=matches)


@contextmanager
def refused(pattern: str, stack: str = "prod") -> Iterator[None]:
    """Expect an error in the block whose text on the stack, with its fixes, matches the pattern."""
    with pytest.raises(UserError) as caught:
        yield
    text = advice.text(caught.value, stack, "oracle again")
    assert re.search(pattern, text), text
